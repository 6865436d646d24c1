//! Why a task is where it is: from its facts, from what the devices have told, and from who is heard. Nothing else goes into it, no
//! clock and nothing that only this device knows: two devices that see the same say the same.

use super::super::why::{Explanation, Placed};
use super::{attempts, error, standing};
use rc_scheduler::{Fact, Leased, Reason, Record, Row, State, Status, TaskId, TaskSpec, Unmet, View};

/// Of a task that there is. `None` if what was asked is not known.
pub(crate) fn explain(view: View<'_>, task: TaskId, record: &Record) -> Option<Explanation> {
    let spec = view.spec(task).cloned().or_else(|| super::spec_of(record))?;
    let explained = view.explain(task, &spec, record);
    let state = record.resolve();
    let (status, reason, detail) = stands(&state, record, &spec, &explained.rows);
    Some(Explanation {
        task: Some(task),
        task_type: spec.task_type.clone(),
        submitter: spec.submitter.clone(),
        accepted_by: state.submitted.map(|submitted| submitted.by),
        status,
        reason,
        detail,
        not_before_wall_ms: not_before(task, &state, &spec),
        error: if state.is_reportable() { error(&state) } else { None },
        placed: placed(record, &state),
        view_hash: explained.view_hash,
        rows: explained.rows,
    })
}

/// Of one that there might be.
pub(crate) fn plan(view: View<'_>, spec: &TaskSpec) -> Explanation {
    let explained = view.plan(spec);
    let (status, reason, detail) = stands(&Record::default().resolve(), &Record::default(), spec, &explained.rows);
    Explanation {
        task: None,
        task_type: spec.task_type.clone(),
        submitter: spec.submitter.clone(),
        accepted_by: None,
        status,
        reason,
        detail,
        not_before_wall_ms: None,
        error: None,
        placed: None,
        view_hash: explained.view_hash,
        rows: explained.rows,
    }
}

fn stands(
    state: &State<'_>,
    record: &Record,
    spec: &TaskSpec,
    rows: &[Row],
) -> (Status, Option<Reason>, Option<String>) {
    let status = state.status();
    let waits = match status {
        Status::Pending | Status::Queued => true,
        Status::Retrying => !standing::is_last(state, Some(spec)),
        _ => false,
    };
    if !waits {
        return (status, None, None);
    }
    if let Some(waiting) = standing::dependencies(record, Some(spec)) {
        return (waiting.status, waiting.reason, waiting.detail);
    }
    let fits = rows.iter().any(|row| row.unmet.is_empty());
    match status {
        Status::Retrying if fits => (status, Some(Reason::BackoffUntil), None),
        _ if fits => (Status::Queued, Some(Reason::Resources), None),
        _ => {
            let (reason, detail) = nearest(rows).unzip();
            (if status == Status::Retrying { status } else { Status::Pending }, reason, detail)
        }
    }
}

/// The device that tells best what is missing.
fn nearest(rows: &[Row]) -> Option<(Reason, String)> {
    let nearest = rows.iter().min_by_key(|row| (Unmet::distance(&row.unmet), row.device))?;
    let text: Vec<_> = nearest.unmet.iter().map(ToString::to_string).collect();
    let name = if nearest.name.is_empty() { "a device" } else { &nearest.name };
    Some((nearest.unmet.first()?.reason(), format!("nearest is {name}: {}", text.join("; "))))
}

/// When the pause after the failed attempt is over.
fn not_before(task: TaskId, state: &State<'_>, spec: &TaskSpec) -> Option<u64> {
    // While a copy goes on, nothing follows yet.
    let (_, outcome) = state.failure().filter(|_| state.status() == Status::Retrying)?;
    let again = state.settled.is_none() && !standing::is_last(state, Some(spec));
    let pause = spec.retry.delay(task, state.lease?.attempt).as_ms();
    again.then(|| outcome.finished_wall_ms.saturating_add(pause))
}

/// The lease that counts: the one that was decided on, else the last.
fn placed(record: &Record, state: &State<'_>) -> Option<Placed> {
    let decided = state.settled.and_then(|settled| settled.verdict.epoch());
    let all = attempts::attempts(record, state, None);
    let lease = |epoch| -> Option<&Leased> {
        record.facts().find_map(|fact| match fact {
            Fact::Leased(lease) if lease.epoch == epoch => Some(lease),
            _ => None,
        })
    };
    let lease = decided.and_then(lease).or(state.lease)?;
    let attempt = all.into_iter().find(|attempt| attempt.epoch == lease.epoch)?;
    Some(Placed {
        device: lease.to,
        guardian: lease.by,
        epoch: lease.epoch,
        attempt: lease.attempt,
        score_ppm: lease.score_ppm,
        outcome: attempt.outcome,
    })
}
