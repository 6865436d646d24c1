//! A task's facts as lines, each after those that it follows from.

use super::super::handle::HistoryRow;
use super::attempts::{is_late, released};
use rc_scheduler::{Close, DeviceId, Epoch, Fact, Record, State, Term, Verdict};

/// All facts, in causal order as far as they tell.
pub(crate) fn history(record: &Record) -> Vec<HistoryRow> {
    let state = record.resolve();
    let mut facts: Vec<_> = record.facts().collect();
    facts.sort_by_key(|fact| (place(fact, &state), fact.key()));
    let attempt = |row: HistoryRow| {
        let lease = facts.iter().find_map(|fact| match fact {
            Fact::Leased(lease) if Some(lease.epoch) == row.epoch => Some(lease),
            _ => None,
        });
        HistoryRow { attempt: lease.map(|lease| lease.attempt), ..row }
    };
    facts.iter().map(|fact| attempt(row(fact, &state))).collect()
}

/// Leases and their ends go by epoch, and an epoch begins with its term. A settlement follows the leases of its term.
fn place(fact: &Fact, state: &State<'_>) -> (u64, u8) {
    let end_of = |term: Term| (u64::from(term) << 32) | u64::from(u32::MAX);
    match fact {
        Fact::Submitted(_) => (0, 0),
        Fact::DepDone(_) => (0, 1),
        Fact::Leased(f) => (f.epoch.0, 0),
        Fact::Closed(f) => (f.epoch.0, 1),
        // Nobody counts when it was asked; it came before the end that it led to.
        Fact::CancelAsked(_) => (state.settled.map_or(u64::MAX, |settled| end_of(settled.term)), 0),
        Fact::Settled(f) => (end_of(f.term), 1),
        Fact::Stable(f) => (end_of(f.term), 2),
        Fact::Reopened(f) => (end_of(f.settled_term), 3),
        Fact::Unknown { .. } => (u64::MAX, 1),
    }
}

fn row(fact: &Fact, state: &State<'_>) -> HistoryRow {
    let decided = state.settled.and_then(|settled| settled.verdict.epoch());
    let (name, by, epoch, text, superseded): (_, Option<DeviceId>, Option<Epoch>, _, _) = match fact {
        Fact::Submitted(f) => ("submitted", Some(f.by), None, format!("{} bytes of payload", f.payload.len()), false),
        Fact::Leased(f) => {
            let copy = if f.beside.is_some() { "copy beside " } else { "" };
            let text = format!("{copy}attempt {}, score {} ppm", f.attempt, f.score_ppm);
            let runs_beside = decided.is_none() && state.copy == Some(f);
            let winner = decided.or_else(|| state.lease.map(|lease| lease.epoch));
            let superseded = winner.is_some_and(|winner| winner != f.epoch) && !runs_beside;
            ("leased", Some(f.by), Some(f.epoch), text, superseded)
        }
        Fact::Closed(f) => {
            let text = match &f.close {
                Close::Finished(outcome) => match &outcome.error {
                    None => format!("completed in {} ms", outcome.run.as_ms()),
                    Some((class, message)) => format!("{class}: {message}"),
                },
                Close::Released(why) => released(*why).to_owned(),
            };
            ("closed", Some(f.by), Some(f.epoch), text, is_late(f, state))
        }
        Fact::CancelAsked(f) => ("cancel_asked", Some(f.by), None, String::new(), false),
        Fact::Reopened(f) => ("reopened", Some(f.by), None, format!("round {}", f.round), false),
        Fact::DepDone(f) => ("dep_done", Some(f.by), None, format!("{} {}", f.dep, f.status), false),
        Fact::Settled(f) => {
            let text = match &f.verdict {
                Verdict::Failed { class, message, .. } => format!("failed, {class}: {message}"),
                verdict => verdict.status().to_string(),
            };
            ("settled", Some(f.by), f.verdict.epoch(), text, state.settled != Some(f))
        }
        Fact::Stable(f) => ("stable", Some(f.by), None, format!("on {} disks", f.disks), state.stable != Some(f)),
        Fact::Unknown { kind, body } => ("unknown", None, None, format!("kind {kind}, {} bytes", body.len()), false),
    };
    let to = match fact {
        Fact::Leased(lease) => Some(lease.to),
        _ => None,
    };
    HistoryRow { fact: name, by, to, epoch, attempt: None, text, superseded }
}
