//! When a failed attempt is followed by another, and after how long. Pure: the jitter comes from the task's id.

use super::status::{ErrorClass, words};
use crate::id::TaskId;
use crate::time::Span;
use alloc::collections::BTreeSet;
use serde::{Deserialize, Serialize};

words! {
    /// How the wait grows from one attempt to the next.
    Backoff {
        /// `base × 2^(attempt−1)`.
        Exponential = 0 "exponential",
        /// `base × attempt`.
        Linear = 1 "linear",
        /// `base`.
        Fixed = 2 "fixed",
    }
}

/// A task's retry policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts after the first one.
    #[serde(rename = "m")]
    pub max_retries: u32,
    /// How the wait grows.
    #[serde(rename = "s")]
    pub backoff: Backoff,
    /// The first wait.
    #[serde(rename = "b")]
    pub base_delay: Span,
    /// No wait is longer.
    #[serde(rename = "x")]
    pub max_delay: Span,
    /// The classes that are retried; `None` is every retryable class.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<BTreeSet<ErrorClass>>,
    /// So many devices may die with it before it is given up; 0 is any number. At most [`CRASH_LIMIT_MAX`].
    #[serde(rename = "c", default = "crash_limit_default", skip_serializing_if = "is_crash_limit_default")]
    pub crash_limit: u32,
}

/// As many crashes as a record can show.
pub const CRASH_LIMIT_MAX: u32 = 8;

const CRASH_LIMIT_DEFAULT: u32 = 3;

const fn crash_limit_default() -> u32 {
    CRASH_LIMIT_DEFAULT
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_crash_limit_default(limit: &u32) -> bool {
    *limit == CRASH_LIMIT_DEFAULT
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            backoff: Backoff::Exponential,
            base_delay: Span::from_secs(2),
            max_delay: Span::from_secs(60),
            retry_on: None,
            crash_limit: CRASH_LIMIT_DEFAULT,
        }
    }
}

impl RetryPolicy {
    /// Whether an attempt that failed with `class` may be followed by another.
    #[must_use]
    pub fn retries(&self, class: ErrorClass) -> bool {
        self.retry_on.as_ref().map_or_else(|| class.is_retryable(), |classes| classes.contains(&class))
    }

    /// The wait after attempt number `attempt` (the first is 1): the strategy's value, capped at `max_delay`, then lengthened by up
    /// to a tenth, by the task's id, so that tasks that failed together do not return together.
    #[must_use]
    pub fn delay(&self, task: TaskId, attempt: u32) -> Span {
        let base = self.base_delay.0;
        let grown = match self.backoff {
            Backoff::Exponential => {
                base.saturating_mul(1u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX))
            }
            Backoff::Linear => base.saturating_mul(u64::from(attempt)),
            Backoff::Fixed => base,
        };
        let capped = grown.min(self.max_delay.0);
        let share = u64::from(task.0[15] ^ (attempt as u8).wrapping_mul(37));
        Span(capped.saturating_add((capped / 2_550).saturating_mul(share)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_by_strategy_and_stay_below_the_cap() {
        let task = TaskId::default();
        for (backoff, expected) in [
            (Backoff::Exponential, [2, 4, 8, 16, 32, 60, 60]),
            (Backoff::Linear, [2, 4, 6, 8, 10, 12, 14]),
            (Backoff::Fixed, [2, 2, 2, 2, 2, 2, 2]),
        ] {
            let policy = RetryPolicy { backoff, ..RetryPolicy::default() };
            for (attempt, seconds) in (1..).zip(expected) {
                let delay = policy.delay(task, attempt).0;
                let floor = Span::from_secs(seconds).0;
                assert!(delay >= floor && delay <= floor + floor / 10, "{backoff} {attempt}: {delay}");
            }
        }
        let policy = RetryPolicy::default();
        assert!(policy.delay(task, u32::MAX) <= Span(policy.max_delay.0 / 10 * 11));
    }

    #[test]
    fn only_listed_classes_are_retried() {
        let policy = RetryPolicy::default();
        assert!(policy.retries(ErrorClass::Timeout) && !policy.retries(ErrorClass::Task));
        let policy = RetryPolicy { retry_on: Some([ErrorClass::Task].into()), ..policy };
        assert!(!policy.retries(ErrorClass::Timeout) && policy.retries(ErrorClass::Task));
    }
}
