//! All journals of a device: those of attempts that run here, and copies of those that run elsewhere. Bounded in number and in bytes:
//! copies and what has ended go first, then the oldest output of those that wrote most.

use super::journal::{Journal, Piece};
use crate::handlers::{ResourceUsage, Stream};
use rc_scheduler::{DeviceId, Epoch, TaskId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// One attempt.
pub(super) type Key = (TaskId, Epoch);

/// A reader that has taken nothing for so long is waited for no more.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// Bounds of a book.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Of one attempt, bytes.
    pub(super) attempt_bytes: usize,
    /// Of all together, bytes.
    pub(super) bytes: usize,
    /// Attempts.
    pub(super) attempts: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { attempt_bytes: 256 << 10, bytes: 4 << 20, attempts: 1024 }
    }
}

/// How an attempt that runs is getting on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LiveState {
    /// Percent done, as it says.
    pub percent: Option<u8>,
    /// What it says beside that.
    pub text: String,
    /// Processor time so far, microseconds.
    pub cpu_micros: Option<u64>,
    /// The most memory at once so far, bytes.
    pub memory_bytes_max: Option<u64>,
}

#[derive(Debug, Default)]
struct Attempt {
    journal: Journal,
    state: LiveState,
    /// It runs here.
    own: bool,
    ended: bool,
    /// When it was last written to, as a number that grows.
    touched: u64,
    /// Rings for those who watch, if somebody does.
    bell: Option<watch::Sender<()>>,
    /// Who gets a copy, and how much of it was sent. Not known before something is written: most attempts never do.
    copies: Option<Vec<(DeviceId, u64)>>,
    /// Somebody finds out who that is.
    asked: bool,
    /// Who reads along: where each is, and since when.
    readers: HashMap<u64, (u64, Instant)>,
}

impl Attempt {
    fn copied_to(&self) -> Vec<DeviceId> {
        self.copies.iter().flatten().map(|(device, _)| *device).collect()
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.send_replace(());
        }
    }
}

/// What somebody reads of an attempt.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) pieces: Vec<Piece>,
    /// The place after the last byte that was ever written.
    pub(super) end: u64,
    pub(super) ended: bool,
    pub(super) state: LiveState,
}

/// All journals.
#[derive(Debug, Default)]
pub(super) struct Book {
    bounds: Bounds,
    attempts: HashMap<Key, Attempt>,
    cost: usize,
    touches: u64,
}

impl Book {
    /// An attempt begins here.
    pub(super) fn begin(&mut self, key: Key) {
        self.make_room();
        self.attempts.insert(key, Attempt { own: true, ..Attempt::default() });
    }

    /// It wrote something. Returns who gets a copy, and whether the caller is to find out who does.
    pub(super) fn write(&mut self, key: Key, stream: Stream, chunk: &[u8]) -> (Vec<DeviceId>, bool) {
        let Some(attempt) = self.attempts.get_mut(&key).filter(|attempt| attempt.own && !attempt.ended) else {
            return (Vec::new(), false);
        };
        let before = attempt.journal.cost();
        attempt.journal.write(stream, chunk);
        let copies = attempt.copied_to();
        let ask = !std::mem::replace(&mut attempt.asked, true);
        self.written(key, before);
        (copies, ask)
    }

    /// These get a copy of what an attempt here writes.
    pub(super) fn copy_to(&mut self, key: Key, devices: &[DeviceId]) {
        if let Some(attempt) = self.attempts.get_mut(&key).filter(|attempt| attempt.own) {
            attempt.copies = Some(devices.iter().map(|device| (*device, 0)).collect());
        }
    }

    /// A copy of what an attempt elsewhere wrote.
    pub(super) fn take(&mut self, key: Key, piece: Piece) {
        if !self.attempts.contains_key(&key) {
            self.make_room();
        }
        let attempt = self.attempts.entry(key).or_default();
        if attempt.own || attempt.ended {
            return;
        }
        let before = attempt.journal.cost();
        attempt.journal.take(piece);
        self.written(key, before);
    }

    /// Counts what was added, and keeps within the bounds.
    fn written(&mut self, key: Key, cost_before: usize) {
        self.touches += 1;
        let Some(attempt) = self.attempts.get_mut(&key) else { return };
        attempt.touched = self.touches;
        attempt.journal.trim(self.bounds.attempt_bytes);
        self.cost = self.cost + attempt.journal.cost() - cost_before;
        attempt.ring();
        while self.cost > self.bounds.bytes {
            if !self.drop_one(Some(key)) {
                let Some(largest) = self.attempts.values_mut().max_by_key(|attempt| attempt.journal.cost()) else {
                    return;
                };
                let cost = largest.journal.cost();
                largest.journal.trim(cost / 2);
                self.cost -= cost - largest.journal.cost();
            }
        }
    }

    /// How an attempt here is getting on. Rings only for what a watcher would want to know at once.
    pub(super) fn say(&mut self, key: Key, change: impl FnOnce(&mut LiveState), at_once: bool) {
        if let Some(attempt) = self.attempts.get_mut(&key).filter(|attempt| attempt.own) {
            change(&mut attempt.state);
            if at_once {
                attempt.ring();
            }
        }
    }

    /// An attempt has ended. Returns who is to be told so.
    pub(super) fn end(&mut self, key: Key, own: bool) -> Vec<DeviceId> {
        let Some(attempt) = self.attempts.get_mut(&key).filter(|attempt| attempt.own == own) else { return Vec::new() };
        attempt.ended = true;
        if attempt.journal.end() > 0 {
            attempt.ring();
            return attempt.copied_to();
        }
        // Nothing to read; who watches sees the bell go.
        self.attempts.remove(&key);
        Vec::new()
    }

    /// Reads on from a place.
    pub(super) fn read(&self, key: Key, from: u64, bytes_max: usize) -> Option<Reading> {
        let attempt = self.attempts.get(&key)?;
        Some(Reading {
            pieces: attempt.journal.read(from, bytes_max),
            end: attempt.journal.end(),
            ended: attempt.ended,
            state: attempt.state.clone(),
        })
    }

    /// A bell that rings when there is more to read, and is gone when there never will be.
    pub(super) fn bell(&mut self, key: Key) -> Option<watch::Receiver<()>> {
        let attempt = self.attempts.get_mut(&key)?;
        Some(attempt.bell.get_or_insert_with(|| watch::channel(()).0).subscribe())
    }

    /// How much of an attempt was sent to a device that gets a copy.
    pub(super) fn sent(&self, key: Key, device: DeviceId) -> Option<u64> {
        self.attempts.get(&key)?.copies.iter().flatten().find(|(copy, _)| *copy == device).map(|(_, sent)| *sent)
    }

    /// So much was sent.
    pub(super) fn set_sent(&mut self, key: Key, device: DeviceId, sent: u64) {
        let attempt = self.attempts.get_mut(&key);
        if let Some(copy) =
            attempt.and_then(|attempt| attempt.copies.iter_mut().flatten().find(|(copy, _)| *copy == device))
        {
            copy.1 = sent;
        }
    }

    /// Somebody who reads along is at this place now; readers name themselves.
    pub(super) fn reader_at(&mut self, key: Key, reader: u64, place: u64) {
        if let Some(attempt) = self.attempts.get_mut(&key) {
            attempt.readers.insert(reader, (place, Instant::now()));
        }
    }

    /// Somebody reads no longer.
    pub(super) fn reader_left(&mut self, key: Key, reader: u64) {
        if let Some(attempt) = self.attempts.get_mut(&key) {
            attempt.readers.remove(&reader);
        }
    }

    /// Whether those who read along keep up. One that stands still is not waited for.
    pub(super) fn keeps_up(&self, key: Key) -> bool {
        let Some(attempt) = self.attempts.get(&key) else { return true };
        let (end, half) = (attempt.journal.end(), self.bounds.attempt_bytes as u64 / 2);
        let near =
            |(place, since): &(u64, Instant)| end.saturating_sub(*place) < half || since.elapsed() > STALLED_AFTER;
        attempt.readers.values().all(near)
    }

    fn make_room(&mut self) {
        while self.attempts.len() >= self.bounds.attempts && self.drop_one(None) {}
    }

    /// Drops what has ended or is a copy, the one that was written to longest ago.
    fn drop_one(&mut self, but: Option<Key>) -> bool {
        let may = |(key, attempt): &(&Key, &Attempt)| (attempt.ended || !attempt.own) && Some(**key) != but;
        let oldest = self.attempts.iter().filter(may).min_by_key(|(_, attempt)| attempt.touched).map(|(key, _)| *key);
        let Some(gone) = oldest.and_then(|key| self.attempts.remove(&key)) else { return false };
        self.cost -= gone.journal.cost();
        true
    }
}

impl LiveState {
    /// Takes over what is known of the use.
    pub(super) fn uses(&mut self, usage: ResourceUsage) {
        self.cpu_micros = usage.cpu_micros.or(self.cpu_micros);
        self.memory_bytes_max = usage.memory_bytes_max.max(self.memory_bytes_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Key {
        (TaskId(u128::from(n).to_be_bytes()), Epoch(1))
    }

    fn book(attempt_bytes: usize, bytes: usize, attempts: usize) -> Book {
        Book { bounds: Bounds { attempt_bytes, bytes, attempts }, ..Book::default() }
    }

    #[test]
    fn copies_and_what_has_ended_go_before_what_runs() {
        let mut book = book(1 << 20, 64 << 10, 100);
        for n in 0..4 {
            book.begin(key(n));
            assert_eq!(book.write(key(n), Stream::Stdout, &[b'x'; 5 << 10]), (vec![], true));
            book.copy_to(key(n), &[DeviceId([9; 16])]);
            assert_eq!(book.write(key(n), Stream::Stdout, &[b'x'; 5 << 10]), (vec![DeviceId([9; 16])], false));
        }
        book.end(key(1), true);
        book.take(key(7), Piece { at: 0, stream: Stream::Stdout, offset: 0, bytes: vec![1; 8 << 10] });
        // More than there is room for: first the one that has ended, then the copy, then half of the largest.
        book.write(key(0), Stream::Stdout, &[b'y'; 16 << 10]);
        assert!(book.read(key(1), 0, 1).is_none() && book.read(key(7), 0, 1).is_some());
        book.write(key(0), Stream::Stdout, &[b'y'; 10 << 10]);
        assert!(book.read(key(7), 0, 1).is_none());
        book.write(key(0), Stream::Stdout, &[b'y'; 16 << 10]);
        assert!(book.cost <= 64 << 10);
        let read = book.read(key(0), 0, usize::MAX).unwrap();
        assert!(read.pieces[0].at > 0 && read.end == 52 << 10, "{}", read.pieces[0].at);
        assert_eq!(book.read(key(2), 0, usize::MAX).unwrap().pieces[0].at, 0);
        assert_eq!(book.attempts.values().map(|attempt| attempt.journal.cost()).sum::<usize>(), book.cost);
    }

    #[test]
    fn one_attempt_and_many_are_bounded() {
        let mut book = book(4 << 10, 1 << 20, 8);
        book.begin(key(0));
        for _ in 0..100 {
            book.write(key(0), Stream::Stderr, &[b'x'; 1000]);
        }
        assert!(book.cost <= 4 << 10);
        for n in 1..100 {
            book.take(key(n), Piece { at: 0, stream: Stream::Stdout, offset: 0, bytes: vec![1] });
        }
        assert_eq!(book.attempts.len(), 8);
        assert!(book.read(key(0), 0, 1).is_some() && book.read(key(99), 0, 1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_falls_behind_is_waited_for_unless_it_stands_still() {
        let mut book = book(4 << 10, 1 << 20, 8);
        book.begin(key(0));
        book.reader_at(key(0), 1, 0);
        book.write(key(0), Stream::Stdout, &[b'x'; 1 << 10]);
        assert!(book.keeps_up(key(0)));
        book.write(key(0), Stream::Stdout, &[b'x'; 1 << 10]);
        assert!(!book.keeps_up(key(0)));
        book.reader_at(key(0), 1, 100);
        assert!(book.keeps_up(key(0)));
        book.write(key(0), Stream::Stdout, &[b'x'; 1 << 10]);
        assert!(!book.keeps_up(key(0)));
        tokio::time::advance(STALLED_AFTER + Duration::from_millis(1)).await;
        assert!(book.keeps_up(key(0)));
        book.reader_at(key(0), 1, 200);
        assert!(!book.keeps_up(key(0)));
        book.reader_left(key(0), 1);
        assert!(book.keeps_up(key(0)));
    }

    #[test]
    fn what_wrote_nothing_leaves_nothing_and_tells_its_watcher() {
        let mut book = Book::default();
        book.begin(key(0));
        let bell = book.bell(key(0)).unwrap();
        assert!(book.end(key(0), true).is_empty());
        assert!(bell.has_changed().is_err() && book.attempts.is_empty());
        // Nobody writes into the journal of another device's attempt.
        book.take(key(1), Piece { at: 0, stream: Stream::Stdout, offset: 0, bytes: vec![1] });
        assert_eq!(book.write(key(1), Stream::Stdout, b"mine"), (vec![], false));
        assert_eq!(book.read(key(1), 0, 10).unwrap().end, 1);
    }
}
