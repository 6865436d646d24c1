//! An event as it is told: a line of JSON.

use super::{DeviceNames, ErrorView, rfc3339};
use crate::events::{EventId, EventRow};
use serde::{Deserialize, Serialize};

/// The word for what this device cannot tell any more.
const GAP: &str = "gap";

/// One event. What does not belong to its kind is left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are those of tasks and devices elsewhere")]
pub struct EventView {
    /// To go on from after a break.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What happened, e.g. `on_start`.
    pub event: String,
    /// When the device that was asked heard of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// How long the attempt ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorView>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// With `gap`: so many events are not to be had. Left out if nobody knows how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
}

impl EventView {
    /// An event.
    #[must_use]
    pub fn new(id: EventId, row: &EventRow, names: &dyn DeviceNames) -> Self {
        let error = row.error.as_ref();
        Self {
            id: Some(id.to_string()),
            event: row.kind.word().to_owned(),
            at: Some(rfc3339(row.at_wall_ms)),
            task_id: row.task.map(|task| task.to_string()),
            task_type: row.task_type.clone(),
            trace_id: row.trace.map(|trace| trace.to_string()),
            status: row.status.map(|status| status.word().to_owned()),
            device: row.device.map(|device| names.name(device)),
            device_id: row.device.map(|device| device.to_string()),
            attempt: row.attempt,
            epoch: row.epoch.map(|epoch| epoch.0),
            progress: row.progress,
            run_seconds: row.run_ms.map(|ms| ms as f64 / 1_000.0),
            error: error.map(|(class, text)| ErrorView { class: class.word().to_owned(), message: text.clone() }),
            text: row.text.clone(),
            missed: None,
        }
    }

    /// Something is missing here.
    #[must_use]
    pub fn gap(missed: Option<u64>) -> Self {
        let text = match missed {
            Some(missed) => format!("{missed} events are not to be had any more"),
            None => "the device has started anew; what it told before that may be incomplete".to_owned(),
        };
        Self { event: GAP.to_owned(), text, missed, ..Self::default() }
    }
}
