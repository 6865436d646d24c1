//! Letting a task that ended without a result begin again: a new round of it (rule 10).

use crate::core::Scheduler;
use crate::effect::{Refusal, Reply};
use crate::id::{Epoch, TaskId};
use crate::input::CommandId;
use crate::keeper::Reader;
use crate::record::{Fact, Reopened};
use crate::task::Status;

impl Scheduler {
    /// A request by this device's user. The end must be known here: what may not be told is not taken back.
    pub(crate) fn reopen(&mut self, id: CommandId, task: TaskId) {
        if !self.disk.healthy {
            return self.reply(id, Reply::Refused(Refusal::Storage));
        }
        let Some(entry) = self.tasks.get(&task) else {
            if !self.load(task, Reader::Reopen(id)) {
                self.fetch_and_reopen(id, task);
            }
            return;
        };
        let state = entry.record.resolve();
        let status = state.status();
        let Some(settled) = state.settled.filter(|_| status.is_terminal() && status != Status::Completed) else {
            return self.reply(id, Reply::Refused(Refusal::NotFailed { status }));
        };
        let (round, settled_term) = (state.round + 1, settled.term);
        let epoch = state.fence.map_or(Epoch(0), |lease| lease.epoch);
        let by = self.me;
        self.write(task, Fact::Reopened(Reopened { round, by, settled_term, epoch }));
        self.settle_dirty();
        let status = self.tasks.get(&task).map_or(status, |entry| entry.record.resolve().status());
        self.reply(id, Reply::Status(task, status));
    }
}
