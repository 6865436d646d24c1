//! The owner wants the device back, or the device is being emptied: what it has goes elsewhere (rule 27a). Why, and for how long, the
//! core does not know.

use super::Phase;
use crate::core::Scheduler;
use crate::effect::StopReason;
use crate::record::Released;
use alloc::vec::Vec;

impl Scheduler {
    /// Takes no work: its owner, or a rule of the owner's, says so.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.own.capacity.blocked.is_empty()
    }

    /// It began to take work, or takes none any more. Everybody hears it before anything that is handed back is leased again.
    pub(crate) fn blocked_changed(&mut self) {
        self.beat_all();
        if self.is_blocked() {
            let waits = |phase| phase == Phase::Waiting;
            let waiting: Vec<_> =
                self.holder.runs.iter().filter(|(_, run)| waits(run.phase)).map(|(task, _)| task).collect();
            waiting.into_iter().for_each(|task| self.let_go(task, Released::Drained));
        }
    }

    /// Power comes from a battery now, or may: copies are a luxury.
    pub(crate) fn give_up_copies(&mut self) {
        self.stop_where(StopReason::Drained, |_, _, run| run.is_copy);
    }

    /// Stops what runs. What comes to a good end meanwhile counts.
    pub(crate) fn give_up(&mut self) {
        self.stop_where(StopReason::Drained, |_, _, _| true);
    }
}
