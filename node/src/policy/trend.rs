//! Which way the battery goes: a level says nothing about whether the charger keeps up.

use rc_scheduler::{Mono, Span};

/// A level that has not changed for so long does not fall any more.
const STEADY: Span = Span::from_secs(30 * 60);

/// The last level and which way it came.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trend {
    last: Option<(u8, Mono)>,
    falling: bool,
}

impl Trend {
    /// Notes a level in percent. An unknown one changes nothing.
    pub(super) fn note(&mut self, level: Option<u8>, now: Mono) {
        let Some(level) = level else { return };
        match self.last {
            Some((before, since)) if before == level => {
                if now.since(since) >= STEADY {
                    self.falling = false;
                }
                return;
            }
            Some((before, _)) => self.falling = level < before,
            None => {}
        }
        self.last = Some((level, now));
    }

    /// The last change was downward, and not long ago.
    pub(super) const fn is_falling(&self) -> bool {
        self.falling
    }
}
