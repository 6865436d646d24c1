//! The whole placement laid open: every device, what keeps the task from it, and what it scores.

use super::candidate::Candidate;
use super::filter::unmet;
use super::pick::sort;
use super::score::{Terms, score};
use super::unmet::Unmet;
use crate::id::{DeviceId, TaskId};
use crate::task::TaskSpec;
use alloc::vec::Vec;

/// One device in an explanation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The device.
    pub device: DeviceId,
    /// All that keeps the task from it; empty if it fits.
    pub unmet: Vec<Unmet>,
    /// What it scores, or would if it fitted.
    pub terms: Terms,
    /// The weighted sum of the terms, parts per million.
    pub total: u32,
    /// It is the one that [`super::pick`] names.
    pub chosen: bool,
}

/// A row for every candidate: those that fit, the best first, then the others by device id.
#[must_use]
pub fn explain<'a>(task: TaskId, spec: &TaskSpec, candidates: impl IntoIterator<Item = Candidate<'a>>) -> Vec<Row> {
    let mut rows: Vec<_> = candidates
        .into_iter()
        .map(|candidate| {
            let terms = score(spec, &candidate);
            Row {
                device: candidate.record.device,
                unmet: unmet(spec, &candidate),
                terms,
                total: terms.total(),
                chosen: false,
            }
        })
        .collect();
    rows.sort_by_key(|row| (!row.unmet.is_empty(), row.device));
    let fit = rows.partition_point(|row| row.unmet.is_empty());
    sort(task, &mut rows[..fit], |row| (row.device, row.terms));
    if let Some(best) = rows[..fit].first_mut() {
        best.chosen = true;
    }
    rows
}
