//! What is counted as it happens. Bounded, whatever happens.

use rc_scheduler::{Close, Fact, Record, Status};
use std::collections::BTreeMap;

/// Upper ends of the buckets, seconds; one more is without end.
pub(super) const BOUNDS: [f64; 18] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];
/// Task types told apart; what comes later is counted together.
const TYPES_MAX: usize = 64;
const OTHERS: &str = "(others)";

/// How often something took how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buckets {
    /// In each bucket, the last one without end.
    pub(super) counts: [u64; BOUNDS.len() + 1],
    pub(super) sum_us: u64,
}

impl Buckets {
    /// One more that took so many microseconds.
    pub fn add(&mut self, us: u64) {
        let seconds = us as f64 / 1e6;
        self.counts[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }
}

/// Counted since this life of the device began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricCounts {
    /// Tasks accepted here.
    pub accepted: u64,
    /// Tasks accepted here that have ended, by status.
    pub ended: BTreeMap<&'static str, u64>,
    /// Leases granted here.
    pub leases: u64,
    /// Attempts that began here.
    pub started: u64,
    /// Attempts that are over here, by type and by what became of them.
    pub attempts: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Of tasks accepted here: from submission to the start of the attempt that counts.
    pub delay: Buckets,
    /// Of tasks accepted here: that and the attempt.
    pub response: Buckets,
    /// Of attempts that ran here.
    pub run: Buckets,
    /// Things that a person should look at.
    pub alerts: u64,
    /// Devices heard, and given up.
    pub peers_heard: u64,
    /// Devices given up.
    pub peers_lost: u64,
}

impl MetricCounts {
    /// A task that was accepted here has ended.
    pub(crate) fn task_ended(&mut self, record: &Record) {
        let state = record.resolve();
        *self.ended.entry(state.status().word()).or_default() += 1;
        if let (Some(submitted), Some(outcome)) = (state.submitted, state.outcome) {
            let delay = outcome.started_wall_ms.saturating_sub(submitted.wall_ms).saturating_mul(1_000);
            self.delay.add(delay);
            self.response.add(delay.saturating_add(outcome.run.0));
        }
    }

    /// An attempt that ran here is over.
    pub(crate) fn attempt_over(&mut self, task_type: &str, close: &Close) {
        let what = match close {
            Close::Finished(outcome) => {
                self.run.add(outcome.run.0);
                outcome.error.as_ref().map_or(Status::Completed.word(), |(class, _)| class.word())
            }
            Close::Released(_) => "released",
        };
        if let Some(own) = self.attempts.get_mut(task_type) {
            *own.entry(what).or_default() += 1;
            return;
        }
        let task_type = if self.attempts.len() < TYPES_MAX { task_type } else { OTHERS };
        *self.attempts.entry(task_type.to_owned()).or_default().entry(what).or_default() += 1;
    }

    /// The end of a lease among the facts of a task.
    pub(crate) fn close_of(record: &Record, epoch: rc_scheduler::Epoch) -> Option<&rc_scheduler::Closed> {
        record.facts().find_map(|fact| match fact {
            Fact::Closed(closed) if closed.epoch == epoch => Some(closed),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rc_scheduler::Released;

    #[test]
    fn types_are_bounded_and_nothing_is_left_uncounted() {
        let mut counts = MetricCounts::default();
        for n in 0..1_000 {
            counts.attempt_over(&format!("t{}", n % 500), &Close::Released(Released::Superseded));
        }
        assert_eq!(counts.attempts.len(), TYPES_MAX + 1);
        assert_eq!(counts.attempts.values().flat_map(BTreeMap::values).sum::<u64>(), 1_000);
    }

    #[test]
    fn a_value_at_the_end_of_a_bucket_is_in_it() {
        let mut buckets = Buckets::default();
        [500, 501, 1_000, 1_800_000_000, 1_800_000_001].into_iter().for_each(|us| buckets.add(us));
        assert_eq!((buckets.counts[0], buckets.counts[1]), (1, 2));
        assert_eq!((buckets.counts[17], buckets.counts[18]), (1, 1));
    }
}
