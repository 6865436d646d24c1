//! The whole placement laid open: every device, what keeps the task from it, what would help, and what it scores.

use super::candidate::Candidate;
use super::contention::{Contention, Demand, Supply, contention};
use super::filter::unmet;
use super::pick::sort;
use super::remedy::Remedy;
use super::score::{Terms, score};
use super::unmet::Unmet;
use crate::id::{DeviceId, TaskId};
use crate::task::TaskSpec;
use crate::time::Span;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

/// One device in an explanation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The device.
    pub device: DeviceId,
    /// Its name, as it says.
    pub name: String,
    /// All that keeps the task from it; empty if it fits.
    pub unmet: Vec<Unmet>,
    /// For each of these what would take it away.
    pub remedies: Vec<Remedy>,
    /// What it scores, or would if it fitted.
    pub terms: Terms,
    /// The weighted sum of the terms, parts per million.
    pub total: u32,
    /// How much of what it has to spare the task asks for: of tasks of the same dynamic priority that wait there, the one with the
    /// highest total goes first. Without the time that it has waited, which is the same for those that came together.
    pub contention: Contention,
    /// It has failed this task before, and is avoided while another one fits.
    pub avoided: bool,
    /// What it runs, and what waits there, as it says.
    pub active_tasks: u32,
    /// What waits there.
    pub queued_tasks: u32,
    /// How much it runs at once.
    pub max_concurrent_tasks: u32,
    /// It is the one that [`super::pick`] names, if those that are avoided are left out while another one fits.
    pub chosen: bool,
}

/// A row for every candidate: those that fit, the best first, those that have failed it last; then the others by device id.
#[must_use]
pub fn explain<'a>(
    task: TaskId,
    spec: &TaskSpec,
    candidates: impl IntoIterator<Item = Candidate<'a>>,
    failed: &BTreeSet<DeviceId>,
) -> Vec<Row> {
    let mut rows: Vec<_> = candidates.into_iter().map(|candidate| row(spec, &candidate, failed)).collect();
    rows.sort_by_key(|row| (!row.unmet.is_empty(), row.avoided, row.device));
    let fit = rows.partition_point(|row| row.unmet.is_empty());
    let unspoilt = rows[..fit].partition_point(|row| !row.avoided);
    let (first, last) = rows[..fit].split_at_mut(unspoilt);
    for group in [first, last] {
        sort(task, group, |row| (row.device, row.terms));
    }
    // Of those that do not fit, nobody need be told apart.
    rows[fit..].sort_by_key(|row| row.device);
    if let Some(best) = rows[..fit].first_mut() {
        best.chosen = true;
    }
    rows
}

fn row(spec: &TaskSpec, candidate: &Candidate<'_>, failed: &BTreeSet<DeviceId>) -> Row {
    let record = candidate.record;
    let terms = score(spec, candidate);
    let unmet = unmet(spec, candidate);
    Row {
        device: record.device,
        name: record.capacity.name.clone(),
        remedies: unmet.iter().map(|unmet| unmet.remedy(record)).collect(),
        unmet,
        terms,
        total: terms.total(),
        contention: contention(Demand::of(&spec.requirements), Supply::of(&record.capacity), Span::ZERO),
        avoided: failed.contains(&record.device),
        active_tasks: candidate.active_tasks(),
        queued_tasks: record.queued_tasks,
        max_concurrent_tasks: record.capacity.max_concurrent_tasks,
        chosen: false,
    }
}
