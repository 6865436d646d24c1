//! Batches as they are asked for and as they are shown: how many tasks stand where, how far it is, and what failed.

use super::number::{Invalid, text};
use super::request::{TaskRequest, WORD_BYTES_MAX};
use super::{ErrorView, rfc3339};
use rc_scheduler::{BatchFound, BatchId, BatchPlace, DeviceId, NewTask, Status, TaskSpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest description, bytes.
const DESCRIPTION_BYTES_MAX: usize = 4 * 1024;

/// A batch as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// For people.
    #[serde(default)]
    pub name: Option<String>,
    /// Likewise.
    #[serde(default)]
    pub description: Option<String>,
    /// All of them are accepted, or none.
    pub tasks: Vec<TaskRequest>,
}

/// What belongs to a batch as a whole; travels once, with its first task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHead {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its tasks have names and come after one another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flow: bool,
}

impl BatchHead {
    /// Of a batch whose name and description make sense.
    ///
    /// # Errors
    /// They are too long, or empty.
    pub fn new(name: Option<String>, description: Option<String>, flow: bool) -> Result<Self, Invalid> {
        if let Some(text) = &description
            && text.len() > DESCRIPTION_BYTES_MAX
        {
            let message = format!("has {} bytes; allowed are {DESCRIPTION_BYTES_MAX}", text.len());
            return Err(Invalid::new("description", message));
        }
        let name = name.map(|name| text("name", name, WORD_BYTES_MAX)).transpose()?;
        Ok(Self { name, description, flow })
    }

    /// What the first task of a batch says of it.
    #[must_use]
    pub fn of(spec: &TaskSpec) -> Self {
        #[derive(Deserialize)]
        struct Extra {
            #[serde(default)]
            batch: BatchHead,
        }
        serde_json::from_slice::<Extra>(&spec.extra).map(|extra| extra.batch).unwrap_or_default()
    }
}

/// The answer to a batch or a flow that was handed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as for a task")]
pub struct BatchAccepted {
    pub batch_id: String,
    pub name: Option<String>,
    pub total: usize,
    pub status: String,
    pub acks: usize,
    pub ack_devices: Vec<String>,
    /// How many devices are up, if only one of them has it on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices_up: Option<usize>,
    /// In the order in which the tasks were handed in; of a flow, in the order in which they can run.
    pub task_ids: Vec<String>,
    /// Of a flow: the tasks' names, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// A batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchView {
    /// Its id.
    pub batch_id: String,
    /// `batch` or `flow`.
    pub kind: String,
    /// For people.
    pub name: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How many tasks it has.
    pub total: usize,
    /// How many are completed.
    pub completed: usize,
    /// How many failed or ran out of time.
    pub failed: usize,
    /// How many were cancelled.
    #[serde(default)]
    pub cancelled: usize,
    /// completed / total.
    pub progress: f64,
    /// How many stand where; `unknown` are those that nobody who answers has.
    pub by_status: BTreeMap<String, usize>,
    /// How long the rest will take if it goes on like this, seconds; not known before something has ended, or when nothing is left.
    pub eta_seconds: Option<f64>,
    /// When it was handed in.
    pub submitted_at: Option<String>,
    /// Devices that did not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
    /// The tasks that were asked for, by default those that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<BatchTaskView>,
    /// There are more of those.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A task of a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchTaskView {
    /// Its place, from 0.
    pub index: u32,
    /// Its id.
    pub task_id: String,
    /// Where it stands.
    pub status: String,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The device that holds or last held it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorView>,
}

/// What became of a request for many tasks of a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchDone {
    /// The batch.
    pub batch_id: String,
    /// So many tasks were asked to be cancelled, or begin again.
    pub tasks: usize,
    /// So many could not.
    pub refused: usize,
    /// Why the first of those could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// An end that counts as failed. Who cancels a task means it to end so.
#[must_use]
pub const fn is_bad_end(status: Status) -> bool {
    matches!(status, Status::Failed | Status::Timeout)
}

impl BatchView {
    /// Of what was found; `submitted_wall_ms` is 0 if nobody knows.
    #[must_use]
    pub fn new(found: &BatchFound, head: &BatchHead, submitted_wall_ms: u64, now_wall_ms: u64) -> Self {
        let mut by_status = BTreeMap::new();
        let (mut completed, mut failed, mut cancelled) = (0, 0, 0);
        for status in &found.statuses {
            let word = status.map_or("unknown", Status::word);
            *by_status.entry(word.to_owned()).or_default() += 1;
            completed += usize::from(*status == Some(Status::Completed));
            failed += usize::from(status.is_some_and(is_bad_end));
            cancelled += usize::from(*status == Some(Status::Cancelled));
        }
        let total = found.statuses.len();
        let (ended, elapsed_ms) = (completed + failed + cancelled, now_wall_ms.saturating_sub(submitted_wall_ms));
        let open = total - ended;
        let eta = (ended > 0 && open > 0 && submitted_wall_ms > 0)
            .then(|| (elapsed_ms as f64 / 1_000.0 * open as f64 / ended as f64 * 10.0).round() / 10.0);
        Self {
            batch_id: found.batch.to_string(),
            kind: if head.flow { "flow" } else { "batch" }.to_owned(),
            name: head.name.clone(),
            description: head.description.clone(),
            total,
            completed,
            failed,
            cancelled,
            progress: if total == 0 { 0.0 } else { completed as f64 / total as f64 },
            by_status,
            eta_seconds: eta,
            submitted_at: Some(submitted_wall_ms).filter(|ms| *ms > 0).map(rfc3339),
            silent: Vec::new(),
            tasks: Vec::new(),
            more: false,
        }
    }

    /// All of them have ended.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.completed + self.failed + self.cancelled == self.total
    }
}

/// Tasks to be handed in together, as the batch of this id; there is at least one. `device` finds the device that a text names.
///
/// # Errors
/// Names the task and the field, and says what is accepted there.
pub fn batch_tasks(
    batch: BatchId,
    head: BatchHead,
    mut requests: Vec<TaskRequest>,
    device: &dyn Fn(&str) -> Result<DeviceId, String>,
) -> Result<Vec<NewTask>, Invalid> {
    let of = u32::try_from(requests.len()).unwrap_or(u32::MAX);
    match requests.first_mut() {
        Some(first) => first.set_head(head),
        None => return Err(Invalid::new("tasks", "is empty; a batch has at least one task")),
    }
    let placed = (0..of).zip(requests).map(|(index, request)| {
        let mut task = request.into_task(device).map_err(|error| error.of_tasks(index as usize))?;
        task.spec.batch = Some(BatchPlace { batch, index, of });
        Ok(task)
    });
    placed.collect()
}

/// The id of a batch that is handed in now; with a key, the same whenever and wherever it is.
#[must_use]
pub fn new_batch_id(key: Option<&str>, wall_ms: u64) -> BatchId {
    let mut id = [0; 16];
    match key {
        Some(key) => {
            let hash = blake3::Hasher::new().update(b"batch").update(key.as_bytes()).finalize();
            id[6..].copy_from_slice(&hash.as_bytes()[..10]);
        }
        None => {
            id[..6].copy_from_slice(&wall_ms.to_be_bytes()[2..]);
            // Without randomness the time alone tells it from others, as well as it can.
            let _ = getrandom::fill(&mut id[6..]);
        }
    }
    BatchId(id)
}

/// When a batch was handed in, if its id says so.
#[must_use]
pub fn batch_wall_ms(batch: BatchId) -> u64 {
    batch.0[..6].iter().fold(0, |ms, byte| ms << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_counted_and_the_rest_is_estimated_from_what_has_ended() {
        let (done, failed, open) = (Some(Status::Completed), Some(Status::Timeout), Some(Status::Running));
        let batch = new_batch_id(None, 1_700_000_000_000);
        assert_eq!(batch_wall_ms(batch), 1_700_000_000_000);
        let found = BatchFound { batch, statuses: vec![done, done, done, failed, open, None], tasks: vec![] };
        let view = BatchView::new(&found, &BatchHead::default(), 1_000, 9_000);
        assert_eq!((view.total, view.completed, view.failed, view.progress), (6, 3, 1, 0.5));
        assert_eq!(view.eta_seconds, Some(4.0), "four in eight seconds, two are left");
        assert_eq!((view.by_status["completed"], view.by_status["unknown"], view.is_over()), (3, 1, false));
        let none = BatchFound { statuses: vec![open], ..found.clone() };
        assert_eq!(BatchView::new(&none, &BatchHead::default(), 1_000, 9_000).eta_seconds, None);
        let all = BatchFound { statuses: vec![done, failed, Some(Status::Cancelled)], ..found };
        let all = BatchView::new(&all, &BatchHead::default(), 1_000, 9_000);
        assert_eq!((all.failed, all.cancelled, all.eta_seconds, all.is_over()), (1, 1, None, true));
    }

    #[test]
    fn a_key_names_one_batch_and_no_key_a_new_one() {
        assert_eq!(new_batch_id(Some("a"), 1), new_batch_id(Some("a"), 2));
        assert_ne!(new_batch_id(Some("a"), 1), new_batch_id(Some("b"), 1));
        assert_ne!(new_batch_id(None, 1), new_batch_id(None, 1));
    }
}
