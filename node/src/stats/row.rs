//! An ended task as it is counted, drawn from its record.

use rc_scheduler::{Close, DeviceId, Fact, Record, Status};

/// What is counted of an ended task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndedRow {
    pub(super) task_type: String,
    pub(super) status: Status,
    /// The device whose attempt counts.
    pub(super) device: Option<DeviceId>,
    /// Milliseconds since 1970. Of a task that never ran, when it was submitted.
    pub(super) ended_wall_ms: u64,
    /// Of the attempt that counts: delay, run and response, microseconds.
    pub(super) times: Option<[u64; 3]>,
    /// Which device was busy with it, from when to when.
    pub(super) busy: Vec<(DeviceId, u64, u64)>,
}

impl EndedRow {
    /// `None` if its end may not be told yet.
    pub(crate) fn of(record: &Record, task_type: String) -> Option<Self> {
        let state = record.resolve();
        let settled = state.settled.filter(|_| state.is_reportable())?;
        let submitted = state.submitted.map_or(0, |submitted| submitted.wall_ms);
        let decided = settled.verdict.epoch();
        let device = record.facts().find_map(|fact| match fact {
            Fact::Leased(lease) if Some(lease.epoch) == decided => Some(lease.to),
            _ => None,
        });
        let busy: Vec<_> = record
            .facts()
            .filter_map(|fact| match fact {
                Fact::Closed(closed) => match &closed.close {
                    Close::Finished(outcome) => Some((closed.by, outcome)),
                    Close::Released(_) => None,
                },
                _ => None,
            })
            .map(|(by, outcome)| {
                let ended = outcome.finished_wall_ms;
                // The clock on the wall may have been set meanwhile.
                (by, ended.saturating_sub(outcome.run.as_ms()), ended)
            })
            .collect();
        let times = state.outcome.map(|outcome| {
            let delay = outcome.started_wall_ms.saturating_sub(submitted).saturating_mul(1_000);
            [delay, outcome.run.0, delay.saturating_add(outcome.run.0)]
        });
        let last = busy.iter().map(|(_, _, ended)| *ended).max().unwrap_or(submitted);
        let ended_wall_ms = state.outcome.map_or(last, |outcome| outcome.finished_wall_ms);
        Some(Self { task_type, status: state.status(), device, ended_wall_ms, times, busy })
    }
}
