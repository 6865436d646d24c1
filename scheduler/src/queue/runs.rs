//! How long tasks of a type run.

use crate::time::Span;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;

/// Run times by task type.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunTimes(BTreeMap<String, Runs>);

/// Those of one type.
#[derive(Clone, Debug)]
struct Runs {
    /// An exponentially weighted mean with weight 1/8.
    mean: Span,
    /// Of those that ended well.
    spread: Option<Box<Spread>>,
}

/// No run counts as longer: what a member says may be absurd, and must not be remembered for long.
const LONGEST: Span = Span::from_secs(24 * 3_600);
/// Types whose run time is remembered; of more, the first in the alphabet go.
const TYPES_MAX: usize = 1_024;

impl RunTimes {
    /// Counts a run, and whether it ended well.
    pub(crate) fn sample(&mut self, task_type: &str, run: Span, ok: bool) {
        let run = run.min(LONGEST);
        if !self.0.contains_key(task_type) {
            if self.0.len() >= TYPES_MAX {
                self.0.pop_first();
            }
            self.0.insert(task_type.into(), Runs { mean: run, spread: None });
        }
        let Some(runs) = self.0.get_mut(task_type) else { return };
        runs.mean = Span((7 * runs.mean.0 + run.0) / 8);
        if ok {
            runs.spread.get_or_insert_default().add(run);
        }
    }

    /// The mean of a type; zero if none has run.
    pub(crate) fn mean(&self, task_type: &str) -> Span {
        self.known(task_type).unwrap_or_default()
    }

    /// The mean of a type of which one has run.
    pub(crate) fn known(&self, task_type: &str) -> Option<Span> {
        self.0.get(task_type).map(|runs| runs.mean)
    }

    /// What 95 of 100 runs of a type that ended well took at most, if that many or more are known.
    pub(crate) fn most_take(&self, task_type: &str, samples: u32) -> Option<Span> {
        self.0
            .get(task_type)?
            .spread
            .as_ref()
            .filter(|spread| spread.total >= samples.max(1))
            .map(|spread| spread.most())
    }
}

/// Bits of the longest time that is told from longer ones, microseconds: nineteen hours.
const BITS_MAX: u32 = 36;
/// Bits of the shortest that is told from shorter ones: a millisecond.
const BITS_MIN: u32 = 10;
/// Classes for each doubling.
const STEPS: usize = 4;
const CLASSES: usize = (BITS_MAX - BITS_MIN) as usize * STEPS;
/// When so many are known, each counts half from then on.
const TOTAL_MAX: u32 = 512;

/// How many runs took how long, in classes of a quarter of a doubling.
#[derive(Clone, Debug)]
struct Spread {
    counts: [u16; CLASSES],
    total: u32,
}

impl Default for Spread {
    fn default() -> Self {
        Self { counts: [0; CLASSES], total: 0 }
    }
}

impl Spread {
    fn add(&mut self, run: Span) {
        if self.total >= TOTAL_MAX {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().map(|count| u32::from(*count)).sum();
        }
        self.counts[class(run)] += 1;
        self.total += 1;
    }

    /// The end of the class in which the 95th of 100 is.
    fn most(&self) -> Span {
        let wanted = (self.total * 95).div_ceil(100);
        let mut seen = 0;
        for (class, count) in self.counts.iter().enumerate() {
            seen += u32::from(*count);
            if seen >= wanted {
                return end(class);
            }
        }
        end(CLASSES - 1)
    }
}

/// The class of a time.
fn class(run: Span) -> usize {
    let micros = run.0.clamp(1 << BITS_MIN, (1 << BITS_MAX) - 1);
    let bits = micros.ilog2();
    let step = (micros >> (bits - 2)) as usize & (STEPS - 1);
    (bits - BITS_MIN) as usize * STEPS + step
}

/// Where a class ends.
fn end(class: usize) -> Span {
    let (bits, step) = (BITS_MIN as usize + class / STEPS, class % STEPS);
    Span(((STEPS + step + 1) as u64) << (bits - 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_take_is_known_within_a_quarter() {
        for micros in [1, 1_023, 1_024, 5_000, 999_999, 1_000_000, 7_777_777, 60_000_000, 3_600_000_000] {
            let mut runs = RunTimes::default();
            (0..100).for_each(|n| runs.sample("t", Span(if n < 96 { micros } else { 100 * micros }), true));
            let most = runs.most_take("t", 20).unwrap().0;
            assert!(most > micros && most <= (micros + micros / 4).max(1_280), "{micros}: {most}");
        }
        let mut runs = RunTimes::default();
        (0..100).for_each(|n| runs.sample("t", Span::from_ms(if n < 90 { 10 } else { 1_000 }), true));
        assert!(runs.most_take("t", 20).unwrap() > Span::from_secs(1));
        runs.sample("t", Span(u64::MAX), true);
        assert!(runs.most_take("t", 20).is_some());
    }

    #[test]
    fn nothing_is_said_of_few_nor_of_those_that_failed() {
        let mut runs = RunTimes::default();
        (0..50).for_each(|_| runs.sample("t", Span::from_secs(9), false));
        (0..19).for_each(|_| runs.sample("t", Span::from_secs(1), true));
        assert_eq!((runs.most_take("t", 20), runs.most_take("u", 1)), (None, None));
        runs.sample("t", Span::from_secs(1), true);
        assert!(runs.most_take("t", 20).is_some_and(|most| most < Span::from_ms(1_251)));
    }

    #[test]
    fn old_runs_are_forgotten() {
        let mut runs = RunTimes::default();
        (0..10_000).for_each(|_| runs.sample("t", Span::from_secs(60), true));
        (0..10_000).for_each(|_| runs.sample("t", Span::from_ms(10), true));
        assert!(runs.most_take("t", 20).unwrap() < Span::from_ms(13));
    }
}
