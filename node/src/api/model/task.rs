//! Tasks as they are shown: accepted, in a list, in full, and with their history.

use super::requirements::RequirementsRequest;
use super::{DeviceNames, ErrorView, Usage, rfc3339};
use crate::driver::{AttemptReport, HistoryRow, TaskReport};
use crate::live::LiveState;
use crate::trace::{self, Trace};
use rc_scheduler::Status;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

/// The W3C trace id of a task, in hexadecimal.
fn trace_id(report: &TaskReport) -> String {
    Trace::of(report.id, report.spec.as_ref()).id.to_string()
}

/// The status that a filter names; `success` is an older name of `completed`.
#[must_use]
pub fn status_filter(word: &str) -> Option<Status> {
    let word = if word == "success" { "completed" } else { word };
    Status::from_word(word)
}

/// The answer to a submit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are SPEC's")]
pub struct AcceptedView {
    pub task_id: String,
    pub status: String,
    /// How many devices have it on disk.
    pub acks: usize,
    pub ack_devices: Vec<String>,
    /// How many devices are up, if only one of them has it on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices_up: Option<usize>,
    /// Where it was placed, if it was by the time of the answer.
    pub placement: Option<PlacementView>,
    pub trace_id: String,
    /// For the header of that name, if it is about this task alone.
    #[serde(skip)]
    pub traceresponse: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A device that was chosen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlacementView {
    /// Its name.
    pub device: String,
    /// Its id.
    pub device_id: String,
}

/// A task in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are SPEC's")]
pub struct TaskView {
    pub task_id: String,
    pub task_type: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    pub status: String,
    pub reason: Option<String>,
    pub detail: Option<String>,
    pub device: Option<String>,
    pub device_id: Option<String>,
    pub priority: Option<String>,
    /// On whose behalf: a name that was given, else the device at which it came in.
    #[serde(default)]
    pub submitter: Option<String>,
    pub attempt: Option<u32>,
    pub progress: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_text: Option<String>,
    pub submitted_at: Option<String>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub error: Option<ErrorView>,
    pub disks: u32,
    pub trace_id: String,
}

/// A task in full.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are SPEC's")]
pub struct TaskDetail {
    pub task_id: String,
    pub task_type: Option<String>,
    pub status: String,
    pub reason: Option<String>,
    pub detail: Option<String>,
    pub device: Option<String>,
    pub device_id: Option<String>,
    pub acceptor: Option<String>,
    pub acceptor_id: Option<String>,
    pub attempts: Vec<AttemptView>,
    pub error: Option<ErrorView>,
    pub progress: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_text: Option<String>,
    /// What the attempt that runs uses, as its device says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_usage: Option<Usage>,
    pub disks: u32,
    pub submitted_at: Option<String>,
    pub trace_id: String,
    pub priority: Option<String>,
    /// On whose behalf: a name that was given, else the device at which it came in.
    #[serde(default)]
    pub submitter: Option<String>,
    pub requirements: Value,
    pub retry: Value,
    pub required_permissions: Vec<String>,
    pub idempotency_key: Option<String>,
    /// An attempt that takes far longer than others of its type may get a copy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub speculative: bool,
    /// Tasks that it waits for, or waited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// The batch or flow that it is one of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchPlaceView>,
    /// Name, labels, metadata, batch and sandbox, as they were given.
    #[serde(default)]
    pub extra: Option<Box<RawValue>>,
    pub payload: Option<Box<RawValue>>,
}

/// A task's place among those that were handed in with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchPlaceView {
    /// The batch.
    pub batch_id: String,
    /// Its place, from 0.
    pub index: u32,
    /// Of how many.
    pub of: u32,
}

/// One lease of a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are SPEC's")]
pub struct AttemptView {
    pub epoch: u64,
    pub attempt: u32,
    pub device: String,
    pub device_id: String,
    pub guardian: String,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub outcome: String,
    pub late: bool,
    /// It is a copy, made beside the lease of this epoch because that took so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<u64>,
}

/// The answer to a cancel.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are SPEC's")]
pub struct CancelledView {
    pub task_id: String,
    pub status: String,
}

/// One line of a history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HistoryView {
    /// `submitted`, `leased`, …
    pub fact: String,
    /// When, by the clock of the device that wrote it: of a submit, and of the end of an attempt.
    #[serde(default)]
    pub at: Option<String>,
    /// The name of the device that wrote it.
    pub device: Option<String>,
    /// Its id.
    pub device_id: Option<String>,
    /// To which device the task was given.
    #[serde(default)]
    pub to: Option<String>,
    /// Its id.
    #[serde(default)]
    pub to_id: Option<String>,
    /// The lease that it is about.
    pub epoch: Option<u64>,
    /// The attempt that it is about.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// The rest, in words.
    pub text: String,
    /// Another lease or settlement won.
    pub superseded: bool,
}

/// The name that people gave a task.
#[must_use]
pub fn extra_name(report: &TaskReport) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        name: Option<String>,
    }
    let extra = &report.spec.as_ref()?.extra;
    serde_json::from_slice::<Named>(extra).ok()?.name
}

fn submitter(report: &TaskReport, names: &dyn DeviceNames) -> Option<String> {
    let given = report.spec.as_ref().and_then(|spec| spec.submitter.clone());
    given.or_else(|| report.acceptor.map(|device| names.name(device)))
}

fn error(report: &TaskReport) -> Option<ErrorView> {
    let (class, message) = report.error.as_ref()?;
    Some(ErrorView { class: class.word().to_owned(), message: message.clone() })
}

fn submitted_at(report: &TaskReport) -> Option<String> {
    Some(report.submitted_wall_ms).filter(|ms| *ms > 0).map(rfc3339)
}

fn raw(bytes: &[u8]) -> Option<Box<RawValue>> {
    serde_json::from_slice(bytes).ok()
}

impl TaskView {
    /// A line of a list.
    #[must_use]
    pub fn new(report: &TaskReport, names: &dyn DeviceNames) -> Self {
        let counts = report.attempt();
        let spec = report.spec.as_ref();
        Self {
            task_id: report.id.to_string(),
            task_type: spec.map(|spec| spec.task_type.clone()),
            name: extra_name(report),
            status: report.status.word().to_owned(),
            reason: report.reason.map(|reason| reason.word().to_owned()),
            detail: report.detail.clone(),
            device: report.device.map(|device| names.name(device)),
            device_id: report.device.map(|device| device.to_string()),
            priority: spec.map(|spec| spec.priority.word().to_owned()),
            submitter: submitter(report, names),
            attempt: counts.map(|attempt| attempt.attempt),
            progress: report.progress,
            progress_text: report.progress_text.clone(),
            submitted_at: submitted_at(report),
            started_at: counts.and_then(|a| a.started_wall_ms).map(rfc3339),
            finished_at: counts.and_then(|a| a.finished_wall_ms).map(rfc3339),
            error: error(report),
            disks: report.disks,
            trace_id: trace_id(report),
        }
    }
}

impl TaskDetail {
    /// All there is to say.
    #[must_use]
    pub fn new(report: &TaskReport, names: &dyn DeviceNames) -> Self {
        let spec = report.spec.as_ref();
        let requirements = spec.map(|spec| {
            let name = |device| names.name(device);
            RequirementsRequest::describe(&spec.requirements, spec.timeout, &name)
        });
        Self {
            task_id: report.id.to_string(),
            task_type: spec.map(|spec| spec.task_type.clone()),
            status: report.status.word().to_owned(),
            reason: report.reason.map(|reason| reason.word().to_owned()),
            detail: report.detail.clone(),
            device: report.device.map(|device| names.name(device)),
            device_id: report.device.map(|device| device.to_string()),
            acceptor: report.acceptor.map(|device| names.name(device)),
            acceptor_id: report.acceptor.map(|device| device.to_string()),
            attempts: report.attempts.iter().map(|attempt| AttemptView::new(attempt, names)).collect(),
            error: error(report),
            progress: report.progress,
            progress_text: report.progress_text.clone(),
            resource_usage: None,
            disks: report.disks,
            submitted_at: submitted_at(report),
            trace_id: trace_id(report),
            priority: spec.map(|spec| spec.priority.word().to_owned()),
            submitter: submitter(report, names),
            requirements: serde_json::to_value(requirements).unwrap_or_default(),
            retry: spec.map(|spec| retry(&spec.retry)).unwrap_or_default(),
            required_permissions: spec
                .map(|spec| spec.required_permissions.iter().cloned().collect())
                .unwrap_or_default(),
            idempotency_key: spec.and_then(|spec| spec.idempotency_key.clone()),
            speculative: spec.is_some_and(|spec| spec.speculative),
            after: spec.map(|spec| spec.after.iter().map(ToString::to_string).collect()).unwrap_or_default(),
            batch: spec.and_then(|spec| spec.batch).map(|place| BatchPlaceView {
                batch_id: place.batch.to_string(),
                index: place.index,
                of: place.of,
            }),
            extra: spec.and_then(|spec| raw(&trace::split(&spec.extra).0)),
            payload: raw(&report.payload),
        }
    }
}

impl TaskDetail {
    /// The same, with what the device that runs it says of the attempt.
    #[must_use]
    pub fn with_live(mut self, state: Option<LiveState>) -> Self {
        let Some(state) = state else { return self };
        self.progress = state.percent.or(self.progress);
        self.progress_text = Some(state.text.clone()).filter(|text| !text.is_empty()).or(self.progress_text);
        self.resource_usage = Usage::of(&state);
        self
    }
}

fn retry(policy: &rc_scheduler::RetryPolicy) -> Value {
    let seconds = |span: rc_scheduler::Span| Value::from(span.0 as f64 / 1_000_000.0);
    let mut map = Map::new();
    map.insert("max_retries".into(), policy.max_retries.into());
    map.insert("backoff_strategy".into(), policy.backoff.word().into());
    map.insert("base_delay".into(), seconds(policy.base_delay));
    map.insert("max_delay".into(), seconds(policy.max_delay));
    map.insert("crash_limit".into(), policy.crash_limit.into());
    if let Some(classes) = &policy.retry_on {
        let words = classes.iter().map(|class| Value::from(class.word()));
        map.insert("retry_on".into(), words.collect());
    }
    Value::Object(map)
}

impl AttemptView {
    fn new(attempt: &AttemptReport, names: &dyn DeviceNames) -> Self {
        Self {
            epoch: attempt.epoch.0,
            attempt: attempt.attempt,
            device: names.name(attempt.device),
            device_id: attempt.device.to_string(),
            guardian: names.name(attempt.guardian),
            started_at: attempt.started_wall_ms.map(rfc3339),
            finished_at: attempt.finished_wall_ms.map(rfc3339),
            outcome: attempt.outcome.clone(),
            late: attempt.late,
            beside: attempt.beside.map(|epoch| epoch.0),
        }
    }
}

impl HistoryView {
    /// One fact.
    #[must_use]
    pub fn new(row: &HistoryRow, names: &dyn DeviceNames) -> Self {
        Self {
            fact: row.fact.to_owned(),
            at: row.at_wall_ms.map(rfc3339),
            device: row.by.map(|device| names.name(device)),
            device_id: row.by.map(|device| device.to_string()),
            to: row.to.map(|device| names.name(device)),
            to_id: row.to.map(|device| device.to_string()),
            epoch: row.epoch.map(|epoch| epoch.0),
            attempt: row.attempt,
            text: match row.to {
                Some(to) => format!("to {}: {}", names.name(to), row.text),
                None => row.text.clone(),
            },
            superseded: row.superseded,
        }
    }
}
