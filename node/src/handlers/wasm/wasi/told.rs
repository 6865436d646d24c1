//! Tells what a program writes while it runs: at most so often, so that a run that is over soon is told of once, with its end.

use std::io;
use std::time::{Duration, Instant};

use crate::handlers::Stream;

/// Between two tellings.
const INTERVAL: Duration = Duration::from_millis(50);

/// Says how much of two streams was told.
pub(super) struct Teller {
    tell: fn(Vec<u8>) -> io::Result<()>,
    last: Instant,
    told: [usize; 2],
}

impl Teller {
    pub(super) fn new(tell: fn(Vec<u8>) -> io::Result<()>) -> Self {
        Self { tell, last: Instant::now(), told: [0; 2] }
    }

    pub(super) fn is_due(&self) -> bool {
        self.last.elapsed() >= INTERVAL
    }

    /// Tells what is new of the two streams.
    pub(super) fn tell(&mut self, streams: [&[u8]; 2]) {
        for (index, bytes) in streams.into_iter().enumerate() {
            let new = bytes.get(self.told[index]..).unwrap_or_default();
            if new.is_empty() {
                continue;
            }
            self.told[index] = bytes.len();
            let mut part = vec![u8::from(index == 1)];
            part.extend_from_slice(new);
            // Without anybody to hear it the worker will be killed, or find out when it answers.
            let _ = (self.tell)(part);
        }
        self.last = Instant::now();
    }
}

/// What a part says; `None` if it is none.
pub(in crate::handlers::wasm) fn told(part: &[u8]) -> Option<(Stream, &[u8])> {
    match part.split_first()? {
        (0, bytes) => Some((Stream::Stdout, bytes)),
        (1, bytes) => Some((Stream::Stderr, bytes)),
        _ => None,
    }
}
