//! How a task ended, for people: the result object. The outcome's body is JSON that the device that ran the task wrote; it is
//! read leniently, because a newer or older version may have written it.

use super::{DeviceNames, rfc3339};
use crate::blobs::BodyBlobs;
use crate::driver::TaskReport;
use crate::live::LiveState;
use rc_scheduler::{BlobRef, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The result object.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are SPEC's")]
pub struct ResultView {
    pub task_id: String,
    #[serde(default)]
    pub task_type: Option<String>,
    pub status: String,
    /// On how many disks the end was when it was reported.
    pub disks: u32,
    /// As the handler wrote it, byte for byte.
    #[serde(default)]
    pub result: Option<Box<RawValue>>,
    #[serde(default)]
    pub error: Option<ErrorView>,
    #[serde(default)]
    pub device: Option<String>,
    #[serde(default)]
    pub device_id: Option<String>,
    #[serde(default)]
    pub attempt: Option<u32>,
    #[serde(default)]
    pub epoch: Option<u64>,
    #[serde(default)]
    pub progress: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_text: Option<String>,
    #[serde(default)]
    pub resource_usage: Option<Usage>,
    #[serde(default)]
    pub submitted_at: Option<String>,
    #[serde(default)]
    pub started_at: Option<String>,
    #[serde(default)]
    pub finished_at: Option<String>,
    #[serde(default)]
    pub stdout: Option<String>,
    #[serde(default)]
    pub stderr: Option<String>,
    #[serde(default)]
    pub truncated: bool,
    /// What the attempt left behind beside its result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<BlobRef>,
    /// Why it does not run, while it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorView {
    /// One of the error classes.
    pub class: String,
    /// For people.
    pub message: String,
}

/// What an attempt used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time, user and system.
    #[serde(default)]
    pub cpu_seconds: Option<f64>,
    /// The most memory at once, MiB.
    #[serde(default)]
    pub max_memory_mb: Option<f64>,
}

impl Usage {
    /// Of an attempt that runs; `None` if nothing is known.
    pub(super) fn of(state: &LiveState) -> Option<Self> {
        let cpu_seconds = state.cpu_micros.map(|us| us as f64 / 1e6);
        let max_memory_mb = state.memory_bytes_max.map(|bytes| (bytes / 10_000) as f64 / 100.0);
        (cpu_seconds.is_some() || max_memory_mb.is_some()).then_some(Self { cpu_seconds, max_memory_mb })
    }
}

/// What the holder puts into [`Outcome::body`].
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    result: Option<Box<RawValue>>,
    stdout: Option<String>,
    stderr: Option<String>,
    truncated: bool,
    resource_usage: Option<Usage>,
}

impl ResultView {
    /// Of a task, settled or not.
    #[must_use]
    pub fn new(report: &TaskReport, names: &dyn DeviceNames) -> Self {
        let counts = report.attempt();
        let outcome = report.outcome.as_ref();
        let body = outcome.map(body).unwrap_or_default();
        let refs = outcome.map(|outcome| BodyBlobs::of(&outcome.body)).unwrap_or_default();
        let started = outcome.map_or_else(|| counts.and_then(|a| a.started_wall_ms), |o| Some(o.started_wall_ms));
        let finished = outcome.map_or_else(|| counts.and_then(|a| a.finished_wall_ms), |o| Some(o.finished_wall_ms));
        let error = report.error.as_ref().or_else(|| outcome.and_then(|outcome| outcome.error.as_ref()));
        Self {
            task_id: report.id.to_string(),
            task_type: report.spec.as_ref().map(|spec| spec.task_type.clone()),
            status: report.status.word().to_owned(),
            disks: refs.disks.map_or(report.disks, |disks| disks.min(report.disks)),
            result: body.result,
            error: error.map(|(class, message)| ErrorView { class: class.word().to_owned(), message: message.clone() }),
            device: report.device.map(|device| names.name(device)),
            device_id: report.device.map(|device| device.to_string()),
            attempt: counts.map(|attempt| attempt.attempt),
            epoch: counts.map(|attempt| attempt.epoch.0),
            progress: report.progress,
            progress_text: report.progress_text.clone(),
            resource_usage: body.resource_usage,
            submitted_at: Some(report.submitted_wall_ms).filter(|ms| *ms > 0).map(rfc3339),
            started_at: started.map(rfc3339),
            finished_at: finished.map(rfc3339),
            stdout: body.stdout,
            stderr: body.stderr,
            truncated: body.truncated,
            blobs: refs.made,
            reason: report.reason.map(|reason| reason.word().to_owned()),
            detail: report.detail.clone(),
        }
    }
}

fn body(outcome: &Outcome) -> Body {
    if outcome.body.is_empty() {
        return Body::default();
    }
    serde_json::from_slice(&outcome.body).unwrap_or_default()
}
