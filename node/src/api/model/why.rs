//! Why a task is where it is, and where one would go.

use super::cluster::{TermsView, unit};
use super::{DeviceNames, ErrorView, rfc3339};
use crate::driver::Explanation;
use rc_scheduler::{Contention, Remedy, Row};
use serde::{Deserialize, Serialize};

/// Why a task is where it is. The same bytes on every device that has the same view.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExplainView {
    /// The task.
    pub task: ExplainedView,
    /// The placement that counts, as it was decided.
    pub placement: Option<DecidedView>,
    /// A short name of the view that all this comes from: the task's facts, what the devices told of themselves, and who is heard.
    pub view_hash: String,
    /// The device that would be chosen now.
    pub chosen: Option<String>,
    /// The one after that.
    pub runner_up: Option<String>,
    /// Every device as it is now, the best first.
    pub rows: Vec<ExplainRowView>,
}

/// What its facts say of a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExplainedView {
    /// Its id; `null` if nobody has submitted it.
    pub task_id: Option<String>,
    /// Its kind.
    pub task_type: String,
    /// On whose account it runs: of equal priority, those of different submitters take turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitter: Option<String>,
    /// As in a list, but that facts do not say whether an attempt has begun.
    pub status: String,
    /// Why it does not go on, in a word.
    pub reason: Option<String>,
    /// And in words.
    pub detail: Option<String>,
    /// Its next attempt begins after this.
    pub not_before: Option<String>,
    /// Why it failed.
    pub error: Option<ErrorView>,
}

/// A placement as it was decided. The terms of its score are not written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are named for what they are")]
pub struct DecidedView {
    pub device: String,
    pub device_id: String,
    /// Who decided it.
    pub guardian: String,
    pub guardian_id: String,
    pub epoch: u64,
    pub attempt: u32,
    /// 0 to 1.05.
    pub score: f64,
    pub outcome: String,
}

/// One device's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExplainRowView {
    /// Its name.
    pub device: String,
    /// Its id.
    pub device_id: String,
    /// Requirements that it fails, in words.
    pub unmet: Vec<String>,
    /// What would let the task go there; `null` if it fits.
    pub would_run: Option<WouldRunView>,
    /// The terms of the score, 0 to 1.
    pub terms: TermsView,
    /// Their weighted sum, 0 to 1.05.
    pub score: f64,
    /// The tie-breaker among tasks that are equally urgent and wait for the same device.
    pub contention: ContentionView,
    /// It has failed this task before, and is avoided while another one fits.
    pub avoided: bool,
    /// What runs there, as it says.
    pub active_tasks: u32,
    /// What waits there.
    pub queued_tasks: u32,
    /// How much it runs at once.
    pub max_concurrent_tasks: u32,
    /// It would be chosen now.
    pub chosen: bool,
}

/// How much of what a device has to spare a task asks for, 0 to 1. Of tasks that are equally urgent and came together the one with the
/// highest `total` goes first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContentionView {
    /// `min_cpu_cores` of the idle cores.
    pub cpu: f64,
    /// `bandwidth_mbps` of the bandwidth.
    pub io: f64,
    /// `0.4 cpu + 0.5 io`; while it waits, up to 0.1 more in the first second.
    pub total: f64,
}

impl ContentionView {
    fn new(terms: Contention) -> Self {
        Self { cpu: unit(terms.cpu), io: unit(terms.io), total: unit(terms.total()) }
    }
}

/// What would let a task go to a device: all of it together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WouldRunView {
    /// What the task asks for instead, as flags of `submit`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// When the device's own reasons end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What somebody else says or does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owner: Vec<String>,
    /// What has to happen, nobody knows when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<String>,
    /// Nothing helps.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub never: bool,
}

impl WouldRunView {
    fn new(remedies: &[Remedy]) -> Option<Self> {
        let mut view = Self::default();
        let mut at = None;
        for remedy in remedies {
            match remedy {
                Remedy::Ask(flag) => view.flags.push(flag.clone()),
                Remedy::At(wall_ms) => at = at.max(Some(*wall_ms)),
                Remedy::When(what) => view.when.push((*what).to_owned()),
                Remedy::Owner(what) => view.owner.push(what.clone()),
                Remedy::Never => view.never = true,
            }
        }
        view.at = at.map(rfc3339);
        (!remedies.is_empty()).then_some(view)
    }
}

impl ExplainRowView {
    fn new(row: &Row) -> Self {
        let t = row.terms;
        Self {
            device: name(row),
            device_id: row.device.to_string(),
            unmet: row.unmet.iter().map(ToString::to_string).collect(),
            would_run: WouldRunView::new(&row.remedies),
            terms: TermsView::new([t.cpu, t.memory, t.load, t.network, t.affinity]),
            score: unit(row.total),
            contention: ContentionView::new(row.contention),
            avoided: row.avoided,
            active_tasks: row.active_tasks,
            queued_tasks: row.queued_tasks,
            max_concurrent_tasks: row.max_concurrent_tasks,
            chosen: row.chosen,
        }
    }
}

fn name(row: &Row) -> String {
    if row.name.is_empty() { row.device.to_string() } else { row.name.clone() }
}

impl ExplainView {
    /// All of it. Names of devices come from the view itself, so that they too are the same everywhere.
    #[must_use]
    pub fn new(explanation: &Explanation) -> Self {
        let rows = &explanation.rows;
        let names = RowNames(rows);
        let fit = |place: usize| rows.get(place).filter(|row| row.unmet.is_empty()).map(name);
        let placed = |placed: &crate::driver::Placed| DecidedView {
            device: names.name(placed.device),
            device_id: placed.device.to_string(),
            guardian: names.name(placed.guardian),
            guardian_id: placed.guardian.to_string(),
            epoch: placed.epoch.0,
            attempt: placed.attempt,
            score: unit(placed.score_ppm),
            outcome: placed.outcome.clone(),
        };
        let error = explanation.error.as_ref();
        Self {
            task: ExplainedView {
                task_id: explanation.task.map(|task| task.to_string()),
                task_type: explanation.task_type.clone(),
                submitter: explanation.submitter.clone().or_else(|| Some(names.name(explanation.accepted_by?))),
                status: explanation.status.word().to_owned(),
                reason: explanation.reason.map(|reason| reason.word().to_owned()),
                detail: explanation.detail.clone(),
                not_before: explanation.not_before_wall_ms.map(rfc3339),
                error: error
                    .map(|(class, message)| ErrorView { class: class.word().to_owned(), message: message.clone() }),
            },
            placement: explanation.placed.as_ref().map(placed),
            view_hash: format!("{:016x}", explanation.view_hash),
            chosen: fit(0),
            runner_up: fit(1),
            rows: rows.iter().map(ExplainRowView::new).collect(),
        }
    }
}

/// The names that the devices of a view have in it.
struct RowNames<'a>(&'a [Row]);

impl DeviceNames for RowNames<'_> {
    fn name(&self, device: rc_scheduler::DeviceId) -> String {
        self.0.iter().find(|row| row.device == device).map_or_else(|| device.to_string(), name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_let_it_run_is_put_together() {
        let all = [
            Remedy::Ask("--min-memory-gb 3".to_owned()),
            Remedy::At(951_782_400_000),
            Remedy::At(1),
            Remedy::Owner("--allow command there".to_owned()),
        ];
        let view = WouldRunView::new(&all).unwrap();
        assert_eq!(view.flags, ["--min-memory-gb 3"]);
        assert_eq!(view.at.as_deref(), Some("2000-02-29T00:00:00.000Z"), "all of them must be over");
        assert_eq!((view.owner.len(), view.never), (1, false));
        assert_eq!(WouldRunView::new(&[]), None);
    }
}
