//! Whose turn it is among those who submit tasks of the same priority: start-time fair queueing. Each has a clock that runs on by what
//! his tasks take, and the one whose clock is behind goes first. Who has had nothing for a while starts at the present.

use super::Share;
use crate::time::Span;
use alloc::collections::BTreeMap;

/// A task whose type has never run counts so much, and so does any that is shorter: starting one is work, too.
const LEAST: Span = Span::from_ms(1);
/// Submitters whose clocks are ahead of the present and remembered; of more, those that are least ahead are forgotten.
const AHEAD_MAX: usize = 4_096;

/// The clocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    /// What the last one who had a turn had had before.
    present: u64,
    /// Those that are ahead of that.
    ahead: BTreeMap<Share, u64>,
}

impl Turns {
    /// A submitter's clock; who has less goes first.
    pub(super) fn of(&self, share: Share) -> u64 {
        self.ahead.get(&share).map_or(self.present, |at| self.present.max(*at))
    }

    /// A task of his has its turn.
    pub(super) fn serve(&mut self, share: Share, takes: Span) {
        let start = self.of(share);
        self.present = self.present.max(start);
        self.ahead.insert(share, start.saturating_add(takes.0.max(LEAST.0)));
        if self.ahead.len() > AHEAD_MAX {
            let present = self.present;
            self.ahead.retain(|_, at| *at > present);
            if self.ahead.len() > AHEAD_MAX
                && let Some(least) = self.ahead.iter().min_by_key(|(_, at)| **at).map(|(share, _)| *share)
            {
                self.ahead.remove(&least);
            }
        }
    }
}
