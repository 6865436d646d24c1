//! The leases in hand, and how many of them each granter gave: asked for with every grant, so it is counted and not searched.

use super::Run;
use crate::id::{DeviceId, TaskId};
use alloc::collections::BTreeMap;

/// Leases in hand by task. Who granted one does not change while it is in hand, so the counts can only go wrong here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hand {
    runs: BTreeMap<TaskId, Run>,
    by: BTreeMap<DeviceId, u32>,
}

impl Hand {
    /// Takes a lease; one of the same task goes.
    pub(crate) fn insert(&mut self, task: TaskId, run: Run) {
        *self.by.entry(run.by).or_default() += 1;
        if let Some(old) = self.runs.insert(task, run) {
            self.uncount(old.by);
        }
    }

    /// Lets a lease go.
    pub(crate) fn remove(&mut self, task: TaskId) -> Option<Run> {
        let run = self.runs.remove(&task)?;
        self.uncount(run.by);
        Some(run)
    }

    fn uncount(&mut self, by: DeviceId) {
        if let Some(count) = self.by.get_mut(&by) {
            *count -= 1;
            if *count == 0 {
                self.by.remove(&by);
            }
        }
    }

    /// The lease of a task.
    pub(crate) fn get(&self, task: TaskId) -> Option<&Run> {
        self.runs.get(&task)
    }

    /// The lease of a task, to be changed; not its granter.
    pub(crate) fn get_mut(&mut self, task: TaskId) -> Option<&mut Run> {
        self.runs.get_mut(&task)
    }

    /// All of them, by task.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TaskId, &Run)> {
        self.runs.iter().map(|(task, run)| (*task, run))
    }

    /// All of them, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (TaskId, &mut Run)> {
        self.runs.iter_mut().map(|(task, run)| (*task, run))
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }

    /// How many of this granter.
    pub(crate) fn count_of(&self, granter: DeviceId) -> u32 {
        self.by.get(&granter).copied().unwrap_or(0)
    }

    /// The counts, for the invariant that they are right.
    pub(crate) const fn counts(&self) -> &BTreeMap<DeviceId, u32> {
        &self.by
    }
}
