//! The ring. Written by one, read by listeners at their own pace; who is too slow misses the oldest.

use super::reader::EventReader;
use super::row::{EventId, EventRow};
use rc_scheduler::{Mono, Span};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Events kept.
const ROWS_MAX: usize = 4_096;
/// So long after the last listener has gone they are kept for him to come back.
const LINGER: Span = Span::from_secs(600);

/// The last events of a node. A cheap clone.
#[derive(Clone, Debug)]
pub struct EventLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    boots: u32,
    /// Events so far.
    count: AtomicU64,
    /// Somebody listens, or did lately.
    open: AtomicBool,
    ring: Mutex<Ring>,
    bell: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Ring {
    rows: VecDeque<Arc<EventRow>>,
    listeners: usize,
    /// When the last listener was last seen to be gone.
    left: Option<Mono>,
}

impl EventLog {
    /// An empty one, for this life of a device.
    #[must_use]
    pub fn new(boots: u32) -> Self {
        let (bell, _) = watch::channel(false);
        let (count, open) = (AtomicU64::new(0), AtomicBool::new(false));
        Self(Arc::new(Inner { boots, count, open, ring: Mutex::default(), bell }))
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened; `row` is called if somebody may want to know, and may find that it is not worth telling.
    pub fn offer(&self, now: Mono, row: impl FnOnce() -> Option<EventRow>) {
        if !self.0.open.load(Ordering::Acquire) {
            // So that whoever comes back much later learns that there was something.
            self.0.count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut ring = self.ring();
        if ring.listeners == 0 && now.since(*ring.left.get_or_insert(now)) > LINGER {
            ring.rows = VecDeque::new();
            self.0.count.fetch_add(1, Ordering::Relaxed);
            self.0.open.store(false, Ordering::Release);
            return;
        }
        let Some(row) = row() else { return };
        if ring.rows.len() == ROWS_MAX {
            ring.rows.pop_front();
        }
        ring.rows.push_back(Arc::new(row));
        self.0.count.fetch_add(1, Ordering::Relaxed);
        drop(ring);
        self.0.bell.send_replace(false);
    }

    /// Nothing more will happen: listeners are told.
    pub fn close(&self) {
        self.0.bell.send_replace(true);
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> EventReader {
        let next = self.count_in();
        EventReader::new(self.clone(), next, self.0.bell.subscribe(), false)
    }

    /// Listens from the oldest event that is kept.
    #[must_use]
    pub fn listen_from_start(&self) -> EventReader {
        let next = self.count_in();
        let kept = self.ring().rows.len() as u64;
        EventReader::new(self.clone(), next - kept, self.0.bell.subscribe(), false)
    }

    /// Listens from the event after this one. What is no longer kept, or was only counted because nobody listened, is missed, and an
    /// unknown number if the device has started anew.
    #[must_use]
    pub fn listen_after(&self, last: EventId) -> EventReader {
        let count = self.count_in();
        let bell = self.0.bell.subscribe();
        if last.boots == self.0.boots && last.number <= count {
            return EventReader::new(self.clone(), last.number, bell, false);
        }
        let kept = self.ring().rows.len() as u64;
        EventReader::new(self.clone(), count - kept, bell, true)
    }

    /// One listener more; how many events there were before.
    fn count_in(&self) -> u64 {
        let mut ring = self.ring();
        ring.listeners += 1;
        ring.left = None;
        self.0.open.store(true, Ordering::Release);
        self.0.count.load(Ordering::Relaxed)
    }

    pub(super) fn count_out(&self) {
        let mut ring = self.ring();
        ring.listeners = ring.listeners.saturating_sub(1);
    }

    /// Up to so many events after the first `from`, with the number of the first; fewer if `from` is no longer kept.
    pub(super) fn read(&self, from: u64, limit: usize) -> (u64, Vec<Arc<EventRow>>) {
        let ring = self.ring();
        let oldest = self.0.count.load(Ordering::Relaxed) - ring.rows.len() as u64;
        let first = from.max(oldest);
        let skip = usize::try_from(first - oldest).unwrap_or(usize::MAX);
        (first, ring.rows.iter().skip(skip).take(limit).cloned().collect())
    }

    pub(super) fn id(&self, number: u64) -> EventId {
        EventId { boots: self.0.boots, number }
    }

    /// Events that are kept now.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.ring().rows.len()
    }
}
