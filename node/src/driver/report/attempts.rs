//! Every lease of a task and how it ended.

use super::super::handle::AttemptReport;
use rc_scheduler::{
    Close, Closed, DeviceId, Epoch, Fact, Grounds, Leased, LiveState, Outcome, Record, Released, State, Verdict,
};

/// All leases, oldest first.
pub(super) fn attempts(record: &Record, state: &State<'_>, live: Option<&LiveState>) -> Vec<AttemptReport> {
    let mut leases: Vec<_> = leases(record).collect();
    leases.sort_by_key(|lease| lease.epoch);
    leases.into_iter().map(|lease| attempt(lease, record, state, live)).collect()
}

/// The device of a lease.
pub(in crate::driver) fn holder(record: &Record, epoch: Epoch) -> Option<DeviceId> {
    leases(record).find(|lease| lease.epoch == epoch).map(|lease| lease.to)
}

/// The word for a way to give a lease back.
pub(in crate::driver) const fn released(why: Released) -> &'static str {
    match why {
        Released::Superseded => "released superseded",
        Released::Stale => "released stale",
        Released::Refused { grounds, .. } => match grounds {
            Grounds::Busy => "released refused",
            Grounds::TaskType => "refused: task type not allowed there",
            Grounds::Permissions => "refused: permission not granted there",
            Grounds::Sandbox => "refused: limit not enforceable there",
        },
        Released::Isolated => "released isolated",
        Released::Drained => "preempted",
        Released::Died => "crashed",
    }
}

/// Whether an outcome came after the task was decided otherwise. By the holders' clocks, which is good enough to read.
pub(super) fn is_late(closed: &Closed, state: &State<'_>) -> bool {
    let Close::Finished(own) = &closed.close else { return false };
    match state.settled.map(|settled| &settled.verdict) {
        None => false,
        Some(Verdict::Cancelled) => true,
        Some(verdict) => {
            verdict.epoch() != Some(closed.epoch)
                && state.outcome.is_some_and(|decided| own.finished_wall_ms > decided.finished_wall_ms)
        }
    }
}

fn leases(record: &Record) -> impl Iterator<Item = &Leased> {
    record.facts().filter_map(|fact| match fact {
        Fact::Leased(lease) => Some(lease),
        _ => None,
    })
}

fn attempt(lease: &Leased, record: &Record, state: &State<'_>, live: Option<&LiveState>) -> AttemptReport {
    let closed = record.facts().find_map(|fact| match fact {
        Fact::Closed(closed) if closed.epoch == lease.epoch && closed.by == lease.to => Some(closed),
        _ => None,
    });
    let finished: Option<&Outcome> = closed.and_then(|closed| match &closed.close {
        Close::Finished(outcome) => Some(outcome),
        Close::Released(_) => None,
    });
    let live = live.filter(|live| live.epoch == lease.epoch);
    let is_current = [state.lease, state.copy].into_iter().flatten().any(|current| current.epoch == lease.epoch)
        && state.settled.is_none();
    let outcome = match closed.map(|closed| &closed.close) {
        Some(Close::Finished(outcome)) => outcome.error.as_ref().map_or("completed", |(class, _)| class.word()),
        Some(Close::Released(why)) => released(*why),
        None if !is_current => "lost",
        None if live.is_some_and(|live| live.started_wall_ms.is_some()) => "running",
        None => "assigned",
    };
    AttemptReport {
        epoch: lease.epoch,
        attempt: lease.attempt,
        device: lease.to,
        guardian: lease.by,
        started_wall_ms: finished.map(|o| o.started_wall_ms).or_else(|| live.and_then(|live| live.started_wall_ms)),
        finished_wall_ms: finished.map(|outcome| outcome.finished_wall_ms),
        outcome: outcome.to_owned(),
        late: closed.is_some_and(|closed| is_late(closed, state)),
        beside: lease.beside,
    }
}
