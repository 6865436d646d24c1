//! Who waits for which task to end. Told once, when the end may be reported.

use super::handle::{DriverError, TaskReport};
use super::request::Answer;
use rc_scheduler::TaskId;
use std::collections::HashMap;
use tokio::sync::mpsc;

/// How one of many tasks ended.
pub(super) type Ended = (TaskId, Result<TaskReport, DriverError>);

/// Below so many tasks nobody looks for waiters that went away.
const SWEEP_MIN: usize = 1024;

/// Somebody who waits.
#[derive(Debug)]
pub(super) enum Waiter {
    /// For this task.
    One(Answer<TaskReport>),
    /// For several; the queue has room for all of them.
    Many(mpsc::Sender<Ended>),
}

impl Waiter {
    pub(super) fn tell(self, task: TaskId, how: Result<TaskReport, DriverError>) {
        match self {
            Self::One(answer) => drop(answer.send(how)),
            Self::Many(ended) => drop(ended.try_send((task, how))),
        }
    }

    fn is_gone(&self) -> bool {
        match self {
            Self::One(answer) => answer.is_closed(),
            Self::Many(ended) => ended.is_closed(),
        }
    }
}

/// All who wait.
#[derive(Debug)]
pub(super) struct Waiters {
    by_task: HashMap<TaskId, Vec<Waiter>>,
    sweep_at: usize,
}

impl Default for Waiters {
    fn default() -> Self {
        Self { by_task: HashMap::new(), sweep_at: SWEEP_MIN }
    }
}

impl Waiters {
    /// Adds one; those of the same task that went away are forgotten, and now and then all others.
    pub(super) fn add(&mut self, task: TaskId, waiter: Waiter) {
        if self.by_task.len() >= self.sweep_at {
            self.by_task.retain(|_, list| {
                list.retain(|waiter| !waiter.is_gone());
                !list.is_empty()
            });
            self.sweep_at = (self.by_task.len() * 2).max(SWEEP_MIN);
        }
        let list = self.by_task.entry(task).or_default();
        list.retain(|waiter| !waiter.is_gone());
        list.push(waiter);
    }

    /// Takes those who wait for this task.
    pub(super) fn take(&mut self, task: TaskId) -> Vec<Waiter> {
        self.by_task.remove(&task).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[test]
    fn who_went_away_is_forgotten() {
        let mut waiters = Waiters::default();
        let task = TaskId([1; 16]);
        for _ in 0..10 {
            let (answer, _) = oneshot::channel();
            waiters.add(task, Waiter::One(answer));
        }
        assert_eq!(waiters.by_task[&task].len(), 1, "only the last one, which nobody looked at yet");
        for n in 0..3 * SWEEP_MIN as u64 {
            let (answer, _) = oneshot::channel();
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.to_be_bytes());
            waiters.add(TaskId(id), Waiter::One(answer));
        }
        assert!(waiters.by_task.len() <= SWEEP_MIN);
    }
}
