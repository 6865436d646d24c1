//! What tasks and the cluster look like to people: facts, and what this device hears, put into the rows that a
//! [`Handle`](super::Handle) gives. Changes nothing.

mod attempts;
mod cluster;
mod explanation;
mod history;
mod standing;
#[cfg(test)]
mod tests;

pub(super) use attempts::{holder, released};
pub(super) use cluster::peers;
pub(super) use explanation::{explain, plan};
pub(super) use history::history;

use super::handle::TaskReport;
use rc_scheduler::{Bytes, ErrorClass, Now, Record, State, TaskId, TaskSpec, Verdict, View, wire};

/// Of a task that this device keeps.
pub(super) fn kept(view: View<'_>, task: TaskId, now: Now) -> Option<TaskReport> {
    let record = view.record(task)?;
    Some(build(view, task, record, view.spec(task).cloned(), now))
}

/// Of a task whose facts were found, here or elsewhere.
pub(super) fn found(view: View<'_>, task: TaskId, record: &Record, now: Now) -> TaskReport {
    let spec = view.spec(task).cloned().or_else(|| spec_of(record));
    build(view, task, record, spec, now)
}

/// What was asked, as its acceptor wrote it down.
pub(super) fn spec_of(record: &Record) -> Option<TaskSpec> {
    let submitted = record.resolve().submitted?;
    wire::decode_spec(&submitted.spec).ok()
}

fn build(view: View<'_>, id: TaskId, record: &Record, spec: Option<TaskSpec>, now: Now) -> TaskReport {
    let state = record.resolve();
    let live = view
        .live(id)
        .filter(|live| [state.lease, state.copy].into_iter().flatten().any(|lease| lease.epoch == live.epoch));
    let standing = standing::of(view, id, record, spec.as_ref(), now);
    let reportable = state.is_reportable();
    let decided = state.settled.filter(|_| reportable).and_then(|settled| settled.verdict.epoch());
    let holder = decided.and_then(|epoch| attempts::holder(record, epoch));
    TaskReport {
        id,
        payload: state.submitted.map_or_else(Bytes::default, |submitted| submitted.payload.clone()),
        status: standing.status,
        reason: standing.reason,
        detail: standing.detail,
        acceptor: state.submitted.map(|submitted| submitted.by),
        submitted_wall_ms: state.submitted.map_or(0, |submitted| submitted.wall_ms),
        device: holder.or_else(|| state.lease.map(|lease| lease.to)),
        attempts: attempts::attempts(record, &state, live.as_ref()),
        decided,
        outcome: state.outcome.filter(|_| reportable).cloned(),
        error: if reportable { error(&state) } else { None },
        disks: state.stable.filter(|_| reportable).map_or(0, |stable| stable.disks),
        progress: live.as_ref().and_then(|live| live.percent),
        progress_text: live.map(|live| live.text).filter(|text| !text.is_empty()),
        spec,
    }
}

/// Why it failed.
fn error(state: &State<'_>) -> Option<(ErrorClass, String)> {
    let own = || state.outcome.and_then(|outcome| outcome.error.clone());
    match &state.settled?.verdict {
        Verdict::Failed { class, message, .. } => Some((*class, message.clone())),
        Verdict::Timeout(_) => Some(own().unwrap_or((ErrorClass::Timeout, "ran out of time".to_owned()))),
        Verdict::Result(_) | Verdict::Cancelled => None,
    }
}
