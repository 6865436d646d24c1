//! Exchanges: short-lived streams of the caller's own beside the link, one for each transfer, so that nothing large ever stands
//! before a frame. Each has its own flow control; whoever reads slowly holds up his own stream alone.
//!
//! Keeps who waits for which stream, and hands in what peers open. Knows nothing of what is said on them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use libp2p::{PeerId, Stream, swarm::ConnectionId};
use tokio::sync::{mpsc, oneshot};

use crate::error::OpenError;

/// Streams of one connection that may arrive before the network task takes them.
pub(crate) const WAITING_MAX: usize = 32;
/// Streams that peers have opened and the caller has not taken; more are refused.
const INCOMING_MAX: usize = 64;

pub(crate) type Answer = oneshot::Sender<Result<Stream, OpenError>>;

/// The streams that peers open, in order of arrival.
pub struct Incoming(mpsc::Receiver<(PeerId, Stream)>);

impl Incoming {
    /// The next one and who opened it; `None` once the network has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<(PeerId, Stream)> {
        self.0.recv().await
    }
}

/// Where the caller's end waits until it is taken.
pub(crate) struct Kept(Mutex<Option<Incoming>>);

impl Kept {
    pub(crate) fn take(&self) -> Option<Incoming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The way from the network task to the caller, and the caller's end.
pub(crate) fn channel() -> (mpsc::Sender<(PeerId, Stream)>, Kept) {
    let (sender, receiver) = mpsc::channel(INCOMING_MAX);
    (sender, Kept(Mutex::new(Some(Incoming(receiver)))))
}

/// Who waits for a stream on which connection. Any stream of a connection serves any of them.
#[derive(Default)]
pub(crate) struct Openings(BTreeMap<(PeerId, ConnectionId), VecDeque<Answer>>);

impl Openings {
    pub(crate) fn wait(&mut self, peer: PeerId, connection: ConnectionId, answer: Answer) {
        self.0.entry((peer, connection)).or_default().push_back(answer);
    }

    /// A stream is there, or cannot be had.
    pub(crate) fn done(&mut self, peer: PeerId, connection: ConnectionId, mut result: Result<Stream, OpenError>) {
        let Some(waiting) = self.0.get_mut(&(peer, connection)) else { return };
        while let Some(answer) = waiting.pop_front() {
            match answer.send(result) {
                Ok(()) => break,
                // Went away meanwhile: a stream serves the next, a failure was this one's.
                Err(unused) if unused.is_ok() => result = unused,
                Err(_) => break,
            }
        }
        if waiting.is_empty() {
            self.0.remove(&(peer, connection));
        }
    }

    /// Those who wait learn it by losing their way to an answer.
    pub(crate) fn closed(&mut self, peer: PeerId, connection: ConnectionId) {
        self.0.remove(&(peer, connection));
    }
}
