//! Which ended tasks this device is to tell of, so that of several keepers one does. Changes nothing.

use super::View;
use crate::id::{DeviceId, TaskId};
use crate::time::Span;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::Bound;

/// Tasks that are looked at for one answer.
const SCAN_MAX: usize = 4_096;

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EndedAsk {
    /// Those whose ids are before this one.
    pub before: Option<TaskId>,
    /// Those whose end became known here no longer ago than this, in time that this device ran; what has ended later is known later.
    pub within: Span,
    /// The devices that are asked, this one included.
    pub present: BTreeSet<DeviceId>,
    /// At most so many.
    pub limit: usize,
}

impl View<'_> {
    /// The next ended tasks, the newest id first, that this device is the one to tell of: the first of the task's home that is present
    /// or, if none of them is, of those that accepted it. And where to go on; `None` at the end.
    #[must_use]
    pub fn ended(&self, ask: &EndedAsk) -> (Vec<TaskId>, Option<TaskId>) {
        let core = self.0;
        let within_s = u32::try_from(ask.within.as_ms().div_ceil(1_000)).unwrap_or(u32::MAX);
        let since = core.ran_s.saturating_sub(within_s.saturating_add(1));
        let before = ask.before.map_or(Bound::Unbounded, Bound::Excluded);
        let mut hot = core.tasks.range((Bound::Unbounded, before)).rev().peekable();
        let mut cold = core.cold.range((Bound::Unbounded, before)).rev().peekable();
        let mut found = Vec::new();
        let mut last = None;
        for _ in 0..SCAN_MAX {
            if found.len() >= ask.limit {
                return (found, last);
            }
            let (task, tells) = match (hot.peek().map(|(task, _)| **task), cold.peek().map(|(task, _)| *task)) {
                (Some(here), resting) if resting.is_none_or(|resting| resting < here) => {
                    let wanted = hot.next().filter(|(_, entry)| entry.announced && entry.ended >= since);
                    (here, wanted.is_some_and(|(_, entry)| self.tells(here, entry.acceptors(), &ask.present)))
                }
                (_, Some(resting)) => {
                    let wanted = cold.next().filter(|(_, cold)| !cold.buried && cold.ended >= since);
                    let tells = |acceptors: &[DeviceId]| self.tells(resting, acceptors.iter().copied(), &ask.present);
                    (resting, wanted.is_some_and(|(_, cold)| tells(&core.cold.circle(cold).acceptors)))
                }
                _ => return (found, None),
            };
            if tells {
                found.push(task);
            }
            last = Some(task);
        }
        (found, last)
    }

    fn tells(&self, task: TaskId, acceptors: impl Iterator<Item = DeviceId>, present: &BTreeSet<DeviceId>) -> bool {
        let keepers = self.home(task).into_iter().chain(acceptors);
        keepers.into_iter().find(|device| present.contains(device)) == Some(self.0.me)
    }
}
