//! Why a task is where it is: every device with what speaks for it and against it.

use super::super::handle::{ExplainRow, Explanation};
use super::{found, kept};
use rc_scheduler::{Candidate, Liveness, Now, Record, Row, TaskId, View, explain, view_hash};

/// Of a task that this device keeps: exactly what its own placing looks at.
pub(crate) fn explain_kept(view: View<'_>, task: TaskId, now: Now) -> Option<Explanation> {
    let report = kept(view, task, now)?;
    let (view_hash, rows) = view.explain(task)?;
    Some(Explanation { task: report, view_hash, rows: rows.into_iter().map(row).collect() })
}

/// Of a task that is kept elsewhere: what this device would say, without what only its guardian knows.
pub(crate) fn explain_found(view: View<'_>, task: TaskId, record: &Record, now: Now) -> Explanation {
    let report = found(view, task, record, now);
    let others = view.peers().filter_map(|peer| {
        let reachable = peer.liveness == Liveness::Up;
        peer.record.map(|record| Candidate { reachable, ..Candidate::new(record) })
    });
    let candidates: Vec<_> = std::iter::once(Candidate::new(view.own())).chain(others).collect();
    let view_hash = view_hash(candidates.iter().map(|candidate| candidate.record));
    let rows = report.spec.as_ref().map(|spec| explain(task, spec, candidates)).unwrap_or_default();
    Explanation { task: report, view_hash, rows: rows.into_iter().map(row).collect() }
}

fn row(row: Row) -> ExplainRow {
    ExplainRow {
        device: row.device,
        unmet: row.unmet.iter().map(ToString::to_string).collect(),
        terms: [row.terms.cpu, row.terms.memory, row.terms.load, row.terms.network, row.terms.affinity],
        score: row.total,
        chosen: row.chosen,
    }
}
