//! What runs on a device: attempts with a time at which the next thing happens to them.

use crate::clock::Micros;
use rc_scheduler::{Epoch, Outcome, TaskId};
use std::collections::BTreeMap;

/// How far an attempt is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Will say `Started`.
    Starting,
    /// Will say `Ended` by itself.
    Running,
    /// Was told to stop and will say `Ended`.
    Stopping,
}

/// An attempt.
#[derive(Clone, Debug)]
pub struct Run {
    /// The script of its task.
    pub script: usize,
    /// How far it is.
    pub stage: Stage,
    /// When the next stage comes.
    pub at: Micros,
    /// Tells the event of the next stage from older ones.
    pub stamp: u64,
    /// When it was started.
    pub started: Micros,
    /// How long it runs when nobody stops it.
    pub length: Micros,
    /// What it will have done.
    pub outcome: Outcome,
    /// Runs alone.
    pub exclusive: bool,
    /// Twice at once may do harm.
    pub side_effects: bool,
    /// Does not react to being stopped for this long.
    pub deaf: Micros,
}

/// A device's attempts.
#[derive(Clone, Debug, Default)]
pub struct Executor {
    /// By task and lease.
    pub runs: BTreeMap<(TaskId, Epoch), Run>,
    /// What an earlier life of the daemon started and nobody stopped: the task, and until when it runs.
    pub orphans: Vec<(TaskId, Micros)>,
    /// Stopped since then, with its device or alone.
    pub asleep_since: Option<Micros>,
}

impl Executor {
    /// The attempts of one task.
    pub fn of(&self, task: TaskId) -> impl Iterator<Item = (Epoch, &Run)> {
        self.runs.range((task, Epoch(0))..=(task, Epoch(u64::MAX))).map(|((_, epoch), run)| (*epoch, run))
    }
}
