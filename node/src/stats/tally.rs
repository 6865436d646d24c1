//! Sums and histograms, for all tasks and for each device or type. Bounded, whatever is counted.

use super::histogram::Histogram;
use super::row::EndedRow;
use rc_scheduler::Status;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Devices or types told apart; what comes later is counted together.
const KEYS_MAX: usize = 256;
/// Where that is counted.
pub(super) const OTHERS: &str = "(others)";

/// Where those are counted that no device had, if devices are told apart.
const NOBODY: &str = "(none)";

/// What rows are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The device whose attempt counts.
    #[default]
    Device,
    /// The task type.
    Type,
}

/// What some tasks came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Ended well.
    pub completed: u64,
    /// Ended with an error.
    pub failed: u64,
    /// Ran out of time.
    pub timeout: u64,
    /// Ended on request.
    pub cancelled: u64,
    /// From submission to the start of the attempt that counts, microseconds.
    pub delay: Histogram,
    /// How long that ran, microseconds.
    pub run: Histogram,
    /// Both together, microseconds.
    pub response: Histogram,
    /// Sums of these three, microseconds.
    pub sums: [u64; 3],
    /// How long devices were busy with them in the period, each attempt by itself, milliseconds.
    pub busy_ms: u64,
}

impl Tally {
    fn add(&mut self, row: &EndedRow) {
        match row.status {
            Status::Completed => self.completed += 1,
            Status::Timeout => self.timeout += 1,
            Status::Cancelled => self.cancelled += 1,
            _ => self.failed += 1,
        }
        if let Some(times) = row.times {
            for ((histogram, sum), time) in self.histograms().into_iter().zip(times) {
                histogram.add(time);
                *sum = sum.saturating_add(time);
            }
        }
    }

    fn histograms(&mut self) -> [(&mut Histogram, &mut u64); 3] {
        let [delay, run, response] = &mut self.sums;
        [(&mut self.delay, delay), (&mut self.run, run), (&mut self.response, response)]
    }

    fn merge(&mut self, other: &Self) {
        for (own, more) in [
            (&mut self.completed, other.completed),
            (&mut self.failed, other.failed),
            (&mut self.timeout, other.timeout),
            (&mut self.cancelled, other.cancelled),
            (&mut self.busy_ms, other.busy_ms),
        ] {
            *own = own.saturating_add(more);
        }
        let others = [&other.delay, &other.run, &other.response].into_iter().zip(other.sums);
        for ((histogram, sum), (more, more_sum)) in self.histograms().into_iter().zip(others) {
            histogram.merge(more);
            *sum = sum.saturating_add(more_sum);
        }
    }

    /// How many.
    #[must_use]
    pub const fn ended(&self) -> u64 {
        self.completed.saturating_add(self.failed).saturating_add(self.timeout).saturating_add(self.cancelled)
    }
}

/// Tasks of a period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Of all.
    pub all: Tally,
    /// Of each device, by its id, or of each type.
    pub by: BTreeMap<String, Tally>,
}

impl Counts {
    /// Counts a task, if it ended between these moments.
    pub(crate) fn add(&mut self, row: &EndedRow, by: By, from: u64, to: u64) {
        for (device, began, ended) in &row.busy {
            let busy = (*ended).min(to).saturating_sub((*began).max(from));
            if busy > 0 {
                self.all.busy_ms = self.all.busy_ms.saturating_add(busy);
                let own = match by {
                    By::Device => self.of(&device.to_string()),
                    By::Type => self.of(&row.task_type),
                };
                own.busy_ms = own.busy_ms.saturating_add(busy);
            }
        }
        if !(from..=to).contains(&row.ended_wall_ms) {
            return;
        }
        self.all.add(row);
        let key = match by {
            By::Device => row.device.map_or_else(|| NOBODY.to_owned(), |device| device.to_string()),
            By::Type => row.task_type.clone(),
        };
        self.of(&key).add(row);
    }

    fn of(&mut self, key: &str) -> &mut Tally {
        let room = self.by.len() < KEYS_MAX || self.by.contains_key(key);
        self.by.entry(if room { key } else { OTHERS }.to_owned()).or_default()
    }

    /// What another device has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.all.merge(&other.all);
        for (key, tally) in &other.by {
            self.of(key).merge(tally);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rc_scheduler::{
        Bytes, Closed, DeviceId, Epoch, ErrorClass, Fact, Incarnation, Leased, Outcome, Record, Settled, Span, Stable,
        Submitted, Verdict,
    };

    const ACCEPTOR: DeviceId = DeviceId([1; 16]);
    const FIRST: DeviceId = DeviceId([2; 16]);
    const SECOND: DeviceId = DeviceId([3; 16]);
    const INC: Incarnation = Incarnation { boots: 1, wakes: 0 };

    fn attempt(n: u32, to: DeviceId, error: Option<ErrorClass>, started: u64, run: u64) -> [Fact; 2] {
        let epoch = Epoch::new(1, n, 0);
        let lease = Leased {
            epoch,
            to,
            to_inc: INC,
            by: ACCEPTOR,
            by_inc: INC,
            attempt: n,
            losses: 0,
            score_ppm: 1,
            beside: None,
        };
        let outcome = Outcome {
            error: error.map(|class| (class, String::new())),
            body: Bytes::default(),
            started_wall_ms: started,
            finished_wall_ms: started + run,
            run: Span::from_ms(run),
        };
        let close = rc_scheduler::Close::Finished(outcome);
        [Fact::Leased(lease), Fact::Closed(Closed { epoch, by: to, by_inc: INC, close })]
    }

    fn task(facts: impl IntoIterator<Item = Fact>, verdict: Verdict) -> EndedRow {
        let (spec, payload) = (Bytes::default(), Bytes::default());
        let submitted = Submitted { by: ACCEPTOR, by_inc: INC, number: 1, nonce: 1, wall_ms: 1_000, spec, payload };
        let settled = Settled { round: 0, term: 1, by: ACCEPTOR, by_inc: INC, verdict };
        let stable = Stable { round: 0, term: 1, by: ACCEPTOR, disks: 2 };
        let ends = [Fact::Submitted(submitted), Fact::Settled(settled), Fact::Stable(stable)];
        EndedRow::of(&Record::from_facts(facts.into_iter().chain(ends)), "echo".to_owned()).unwrap()
    }

    #[test]
    fn what_is_counted_follows_from_the_facts() {
        let again = attempt(1, FIRST, Some(ErrorClass::Network), 1_500, 200).into_iter();
        let again = task(again.chain(attempt(2, SECOND, None, 3_000, 400)), Verdict::Result(Epoch::new(1, 2, 0)));
        let failed =
            Verdict::Failed { class: ErrorClass::Task, message: String::new(), epoch: Some(Epoch::new(1, 1, 0)) };
        let failed = task(attempt(1, FIRST, Some(ErrorClass::Task), 1_100, 100), failed);
        let cancelled = task([], Verdict::Cancelled);
        let mut counts = Counts::default();
        let mut types = Counts::default();
        for row in [&again, &failed, &cancelled] {
            counts.add(row, By::Device, 0, 10_000);
            types.add(row, By::Type, 0, 10_000);
        }
        let all = &counts.all;
        assert_eq!((all.completed, all.failed, all.timeout, all.cancelled, all.ended()), (1, 1, 0, 1, 3));
        assert_eq!(all.sums, [2_100_000, 500_000, 2_600_000], "delay and run are response");
        assert_eq!(all.busy_ms, 700);
        let of = |device: DeviceId| &counts.by[&device.to_string()];
        assert_eq!((of(FIRST).failed, of(FIRST).completed, of(FIRST).busy_ms), (1, 0, 300));
        assert_eq!((of(SECOND).failed, of(SECOND).completed, of(SECOND).busy_ms), (0, 1, 400));
        assert_eq!(of(SECOND).sums[2], 2_400_000);
        assert_eq!(counts.by[NOBODY].cancelled, 1, "who adds up the rows finds all");
        assert_eq!((types.by.len(), &types.by["echo"]), (1, &types.all));
        // Of a period that begins amid the last attempt, only what is in it.
        let mut late = Counts::default();
        late.add(&again, By::Device, 3_100, 10_000);
        late.add(&failed, By::Device, 3_100, 10_000);
        assert_eq!((late.all.ended(), late.all.busy_ms), (1, 300));
        let mut early = Counts::default();
        early.add(&again, By::Device, 0, 3_100);
        assert_eq!((early.all.ended(), early.all.busy_ms), (0, 300), "it ended later");
    }

    #[test]
    fn counts_of_several_devices_add_up_and_stay_bounded() {
        let row = task(attempt(1, FIRST, None, 1_100, 100), Verdict::Result(Epoch::new(1, 1, 0)));
        let (mut one, mut other) = (Counts::default(), Counts::default());
        for n in 0..1_000 {
            let row = EndedRow { task_type: format!("t{n}"), ..row.clone() };
            (if n % 2 == 0 { &mut one } else { &mut other }).add(&row, By::Type, 0, 10_000);
        }
        let text = serde_json::to_string(&other).unwrap();
        one.merge(&serde_json::from_str(&text).unwrap());
        assert_eq!((one.all.completed, one.all.run.count()), (1_000, 1_000));
        assert_eq!(one.by.len(), KEYS_MAX + 1);
        assert_eq!(one.by.values().map(Tally::ended).sum::<u64>(), 1_000);
    }
}
