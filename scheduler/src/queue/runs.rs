//! How long tasks of a type run.

use crate::time::Span;
use alloc::collections::BTreeMap;
use alloc::string::String;

/// Mean run times by task type: an exponentially weighted mean with weight 1/8.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunTimes(BTreeMap<String, Span>);

/// No run counts as longer: what a member says may be absurd, and must not be remembered for long.
const LONGEST: Span = Span::from_secs(24 * 3_600);
/// Types whose run time is remembered; of more, the first in the alphabet go.
const TYPES_MAX: usize = 1_024;

impl RunTimes {
    /// Counts a run.
    pub(crate) fn sample(&mut self, task_type: &str, run: Span) {
        let run = run.min(LONGEST);
        if let Some(mean) = self.0.get_mut(task_type) {
            *mean = Span((7 * mean.0 + run.0) / 8);
            return;
        }
        if self.0.len() >= TYPES_MAX {
            self.0.pop_first();
        }
        self.0.insert(task_type.into(), run);
    }

    /// The mean of a type; zero if none has run.
    pub(crate) fn mean(&self, task_type: &str) -> Span {
        self.0.get(task_type).copied().unwrap_or_default()
    }
}
