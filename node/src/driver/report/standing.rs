//! The word for where a task stands, refined by what this device hears, and why it does not go on.

use rc_scheduler::{Fact, Now, Reason, Record, State, Status, TaskId, TaskSpec, View};

/// Where a task stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) status: Status,
    pub(super) reason: Option<Reason>,
    pub(super) detail: Option<String>,
}

impl Standing {
    const fn plain(status: Status) -> Self {
        Self { status, reason: None, detail: None }
    }

    const fn waits(status: Status, reason: Reason, detail: String) -> Self {
        Self { status, reason: Some(reason), detail: Some(detail) }
    }
}

pub(super) fn of(view: View<'_>, id: TaskId, record: &Record, spec: Option<&TaskSpec>, now: Now) -> Standing {
    let state = record.resolve();
    let status = state.status();
    match status {
        Status::Pending | Status::Queued => {
            dependencies(record, spec).unwrap_or_else(|| for_a_device(view, id, status, Status::Pending))
        }
        Status::Retrying if is_last(&state, spec) => Standing::plain(Status::Running),
        Status::Retrying => backoff(id, &state, spec, now).unwrap_or_else(|| for_a_device(view, id, status, status)),
        Status::Assigned => {
            let current = |epoch| [state.lease, state.copy].into_iter().flatten().any(|lease| lease.epoch == epoch);
            let started = view.live(id).is_some_and(|live| current(live.epoch) && live.started_wall_ms.is_some());
            Standing::plain(if started { Status::Running } else { status })
        }
        status => Standing::plain(status),
    }
}

/// Waits for tasks that it comes after.
pub(super) fn dependencies(record: &Record, spec: Option<&TaskSpec>) -> Option<Standing> {
    let ended = |dep: &TaskId| record.facts().any(|fact| matches!(fact, Fact::DepDone(done) if done.dep == *dep));
    let missing: Vec<_> = spec?.after.iter().filter(|dep| !ended(dep)).map(ToString::to_string).collect();
    let detail = || format!("waits for {}", missing.join(", "));
    (!missing.is_empty()).then(|| Standing::waits(Status::Pending, Reason::WaitingDependency, detail()))
}

/// Waits for a device: for room on one that fits (queued), or for one that fits (`misfit`).
fn for_a_device(view: View<'_>, id: TaskId, status: Status, misfit: Status) -> Standing {
    match view.waiting_reason(id) {
        Some((Reason::Resources, detail)) => {
            let status = if status == Status::Retrying { status } else { Status::Queued };
            Standing::waits(status, Reason::Resources, detail)
        }
        Some((reason, detail)) => Standing::waits(misfit, reason, detail),
        None => Standing::plain(status),
    }
}

/// No attempt follows the failed one; that the task has failed is told when it is written down.
pub(super) fn is_last(state: &State<'_>, spec: Option<&TaskSpec>) -> bool {
    let (Some((_, outcome)), Some(lease), Some(spec)) = (state.failure(), state.lease, spec) else { return false };
    outcome.error.as_ref().is_some_and(|(class, _)| !spec.retry.retries(*class))
        || lease.attempt > spec.retry.max_retries
}

/// Waits before the next attempt.
fn backoff(id: TaskId, state: &State<'_>, spec: Option<&TaskSpec>, now: Now) -> Option<Standing> {
    let (_, outcome) = state.failure()?;
    let attempt = state.lease?.attempt;
    let until = outcome.finished_wall_ms.saturating_add(spec?.retry.delay(id, attempt).as_ms());
    // By the clock on the wall, which is good enough to read; the guardian goes by its own.
    let left = until.checked_sub(now.wall_ms).filter(|left| *left > 0)?;
    let why = outcome.error.as_ref().map_or_else(String::new, |(class, message)| format!(" ({class}: {message})"));
    let seconds = left.div_ceil(1000);
    let detail = format!("attempt {attempt} failed{why}; the next one begins in {seconds} s");
    Some(Standing::waits(Status::Retrying, Reason::BackoffUntil, detail))
}
