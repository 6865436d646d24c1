//! What the owner said last, beside the rules: paused, for how long; or to be emptied.

use super::moment::Moment;
use rc_scheduler::{Mono, Span};
use serde::{Deserialize, Serialize};

/// The owner wants the device for himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// When it is over by the clock on the wall, milliseconds since 1970; `None` = when somebody says so.
    pub until_wall_ms: Option<u64>,
    /// How much of it was left when it was written down, milliseconds. A clock that was set wrong meanwhile cannot make it longer.
    pub left_ms: Option<u64>,
}

/// What holds until the owner says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    /// He paused it.
    pub pause: Option<Pause>,
    /// What runs may finish, and nothing new comes.
    pub drain: bool,
}

/// A pause that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paused {
    pub(super) pause: Pause,
    /// When it is over by the clock that does not jump.
    until: Option<Mono>,
}

impl Pause {
    /// For so long, or until somebody says otherwise.
    #[must_use]
    pub fn new(span: Option<Span>, now: Moment) -> Self {
        let left_ms = span.map(Span::as_ms);
        Self { until_wall_ms: left_ms.map(|ms| now.wall_ms.saturating_add(ms)), left_ms }
    }
}

impl Paused {
    pub(super) fn new(pause: Pause, now: Moment) -> Self {
        let by_wall = pause.until_wall_ms.map(|until| until.saturating_sub(now.wall_ms));
        let left_ms = by_wall.into_iter().chain(pause.left_ms).min();
        Self { pause, until: left_ms.map(|ms| now.mono + Span::from_ms(ms)) }
    }

    /// It is over at this moment, by either clock: who asked for half an hour meant no more than that.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.until.is_some_and(|until| now.mono >= until)
            || self.pause.until_wall_ms.is_some_and(|until| now.wall_ms >= until)
    }

    pub(super) const fn until(&self) -> Option<Mono> {
        self.until
    }
}
