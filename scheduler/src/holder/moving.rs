//! What waits here for long and could begin elsewhere is handed back (rule 28a).

use super::Phase;
use crate::core::Scheduler;
use crate::id::{DeviceId, TaskId};
use crate::message::Move;
use crate::placement::{Candidate, Supply, fits};
use crate::queue::Scale;
use crate::record::{Close, Fact, Grounds, Released};
use crate::time::Span;
use alloc::vec::Vec;

impl Scheduler {
    /// What a lease is handed back with that has not begun, because this device has too much to do.
    pub(super) fn too_busy(&self) -> Released {
        Released::Refused { record_sequence: self.own.sequence, grounds: Grounds::Busy }
    }

    /// By what the order of those that wait here is worked out.
    pub(super) fn scale(&self) -> Scale<'_> {
        let supply = Supply::of(&self.own.capacity);
        Scale { now: self.now.mono, runs: &self.guardian.runs, supply }
    }

    /// How many leases of a granter wait here.
    pub(crate) fn waiting_here(&self, granter: DeviceId) -> u32 {
        let waits = |run: &super::Run| run.by == granter && run.phase == Phase::Waiting;
        self.holder.runs.iter().filter(|(_, run)| waits(run)).count() as u32
    }

    /// How long what comes last here waits for its turn, by what tasks of these types took so far.
    pub(crate) fn backlog(&self) -> Span {
        let slots = u64::from(self.own.capacity.max_concurrent_tasks.max(1));
        Span(self.holder.queue.work(&self.guardian.runs).0 / slots)
    }

    /// A guardian has room on a device that is free: some of its leases that have waited for long here, or will, go back to it; those
    /// first whose turn is next.
    pub(crate) fn handle_move(&mut self, granter: DeviceId, back: Move) {
        let Some(record) = (if back.to == self.me { Some(&self.own) } else { self.devices.get(&back.to) }) else {
            return;
        };
        let there = Candidate::new(record);
        let (now, after) = (self.now.mono, self.config.move_after);
        let slots = u64::from(self.own.capacity.max_concurrent_tasks.max(1));
        let mut ahead = Span::ZERO;
        let mut going = Vec::new();
        for (task, takes) in self.holder.queue.in_order(&self.scale()) {
            if going.len() >= back.count as usize {
                break;
            }
            let waits = Span(ahead.0 / slots);
            ahead.0 += takes.0;
            let Some(run) = self.holder.runs.get(task).filter(|run| run.by == granter) else { continue };
            if now.since(run.started) < after && waits < after {
                continue;
            }
            if self.tasks.get(&task).is_some_and(|entry| fits(&entry.spec, &there)) && !self.has_been_at(task, back.to)
            {
                going.push(task);
            }
        }
        let why = self.too_busy();
        going.into_iter().for_each(|task| self.let_go(task, why));
    }

    /// A device has had a lease of the task before: it failed it or gave it back, so it is not worth moving it there.
    fn has_been_at(&self, task: TaskId, device: DeviceId) -> bool {
        self.tasks.get(&task).is_some_and(|entry| {
            entry.record.facts().any(|fact| match fact {
                Fact::Closed(closed) => {
                    closed.by == device && !matches!(&closed.close, Close::Finished(o) if o.is_ok())
                }
                _ => false,
            })
        })
    }
}
