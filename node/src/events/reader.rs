//! One listener: where it is in the ring, and what it has missed.

use super::ring::EventLog;
use super::row::{EventId, EventRow};
use std::sync::Arc;
use tokio::sync::watch;

/// Events taken at once.
const BATCH_MAX: usize = 256;

/// A listener; cheap while nothing happens.
#[derive(Debug)]
pub struct EventReader {
    log: EventLog,
    /// Events before the next one.
    next: u64,
    bell: watch::Receiver<bool>,
    /// The device has started anew since the listener was last here.
    anew: bool,
}

/// What came.
#[derive(Debug)]
pub struct Batch {
    /// Something between the last batch and this one is not to be had: so many events; `None` if nobody knows.
    pub missed: Option<Option<u64>>,
    /// Each with its id.
    pub rows: Vec<(EventId, Arc<EventRow>)>,
}

impl EventReader {
    pub(super) const fn new(log: EventLog, next: u64, bell: watch::Receiver<bool>, anew: bool) -> Self {
        Self { log, next, bell, anew }
    }

    /// What is there now; `None` if nothing is.
    pub fn ready(&mut self) -> Option<Batch> {
        let (first, rows) = self.log.read(self.next, BATCH_MAX);
        let missed = match (std::mem::take(&mut self.anew), first - self.next) {
            (true, _) => Some(None),
            (false, 0) => None,
            (false, missed) => Some(Some(missed)),
        };
        self.next = first + rows.len() as u64;
        if rows.is_empty() && missed.is_none() {
            return None;
        }
        let id = |at: usize| self.log.id(first + at as u64 + 1);
        Some(Batch { missed, rows: rows.into_iter().enumerate().map(|(at, row)| (id(at), row)).collect() })
    }

    /// What comes next; `None` when nothing will. Cancel safe.
    pub async fn next(&mut self) -> Option<Batch> {
        loop {
            let closed = *self.bell.borrow_and_update();
            if let Some(batch) = self.ready() {
                return Some(batch);
            }
            if closed || self.bell.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Nothing more will come than what is there.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        *self.bell.borrow()
    }

    /// The id of the last event before what comes next.
    #[must_use]
    pub fn last(&self) -> EventId {
        self.log.id(self.next)
    }
}

impl Drop for EventReader {
    fn drop(&mut self) {
        self.log.count_out();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EventKind, EventRow};
    use super::*;
    use rc_scheduler::{Mono, Span};

    const NOW: Mono = Mono(1_000_000);

    fn say(log: &EventLog, text: u64) {
        log.offer(NOW, || Some(EventRow { text: text.to_string(), ..EventRow::new(EventKind::Other, 0) }));
    }

    fn texts(batch: &Batch) -> Vec<(u64, String)> {
        batch.rows.iter().map(|(id, row)| (id.number, row.text.clone())).collect()
    }

    #[tokio::test]
    async fn a_listener_that_was_away_goes_on_where_it_was() {
        let log = EventLog::new(3);
        let mut reader = log.listen();
        say(&log, 1);
        say(&log, 2);
        let batch = reader.next().await.unwrap();
        assert_eq!((texts(&batch), batch.missed), (vec![(1, "1".into()), (2, "2".into())], None));
        let last = reader.last();
        assert_eq!(last.to_string(), "3.2");
        drop(reader);
        say(&log, 3);
        let mut back = log.listen_after("3.2".parse().unwrap());
        let batch = back.next().await.unwrap();
        assert_eq!((texts(&batch), batch.missed), (vec![(3, "3".into())], None));
        log.close();
        assert!(back.next().await.is_none());
    }

    #[tokio::test]
    async fn what_was_missed_is_counted_and_what_nobody_can_count_is_said() {
        let log = EventLog::new(3);
        let mut slow = log.listen();
        (0..5_000).for_each(|n| say(&log, n));
        let batch = slow.next().await.unwrap();
        assert_eq!(batch.missed, Some(Some(5_000 - 4_096)));
        assert_eq!(texts(&batch)[0], (5_000 - 4_096 + 1, "904".into()));
        let mut rest = batch.rows.len();
        while let Some(batch) = slow.ready() {
            assert_eq!(batch.missed, None);
            rest += batch.rows.len();
        }
        assert_eq!(rest, 4_096);
        // Another life, and a number that this life has not reached.
        for last in ["2.7", "3.5001"] {
            let mut back = log.listen_after(last.parse().unwrap());
            assert_eq!(back.next().await.unwrap().missed, Some(None), "{last}");
        }
        assert!(["", "3", "3.", "a.1", "3.-1"].iter().all(|text| text.parse::<EventId>().is_err()));
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let log = EventLog::new(1);
        let count = |now| log.offer(now, || panic!("nobody listens"));
        count(NOW);
        drop(log.listen());
        say(&log, 1);
        assert_eq!(log.kept(), 1, "he may come back");
        count(NOW + Span::from_secs(601));
        assert_eq!(log.kept(), 0, "he did not");
        count(NOW + Span::from_secs(602));
        let mut reader = log.listen();
        say(&log, 2);
        assert_eq!(texts(&reader.ready().unwrap()), [(5, "2".to_owned())]);
        let back = log.listen_after("1.2".parse().unwrap()).ready().unwrap();
        assert_eq!((texts(&back), back.missed), (vec![(5, "2".to_owned())], Some(Some(2))));
    }
}
