//! What the tasks of a period came to, as it is shown. Where nothing was measured there is `null`, never a number.

use super::{DeviceNames, rfc3339};
use crate::stats::{By, Histogram, StatsReport, Tally};
use rc_scheduler::DeviceId;
use serde::{Deserialize, Serialize};

/// Half, nine in ten, and ninety-nine in a hundred are no longer than this; seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the percentiles")]
pub struct PercentilesView {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
}

/// What some tasks came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are SPEC's, with the unit last")]
pub struct StatsRowView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_type: Option<String>,
    /// Ended in the period.
    pub total: u64,
    pub completed: u64,
    pub failed: u64,
    pub timeout: u64,
    pub cancelled: u64,
    /// Completed, of all but the cancelled.
    pub success_rate: Option<f64>,
    pub mean_execution_seconds: Option<f64>,
    pub mean_delay_seconds: Option<f64>,
    pub mean_response_seconds: Option<f64>,
    /// From submission to the start of the attempt that counts.
    pub delay_seconds: Option<PercentilesView>,
    /// That attempt.
    pub execution_seconds: Option<PercentilesView>,
    /// Both together.
    pub response_seconds: Option<PercentilesView>,
    /// Time that its slots were busy in the period, as a share of all there was; by type, of the whole cluster's.
    pub utilisation: Option<f64>,
}

/// A period.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are those of the report")]
pub struct StatsView {
    pub period_seconds: f64,
    pub from: String,
    pub to: String,
    pub by: By,
    pub total: StatsRowView,
    /// The largest first.
    pub rows: Vec<StatsRowView>,
    /// Devices that did not answer: what nobody else keeps is not counted.
    pub silent: Vec<String>,
    /// Devices that had more to count than time for it: they counted the newest.
    pub partial: Vec<String>,
}

fn percentiles(histogram: &Histogram) -> Option<PercentilesView> {
    let at = |percent| histogram.percentile(percent).map(|us| us as f64 / 1e6);
    Some(PercentilesView { p50: at(50)?, p90: at(90)?, p99: at(99)? })
}

fn share(part: f64, whole: f64) -> Option<f64> {
    // Six digits say more than is known.
    (whole > 0.0).then(|| (part / whole * 1e6).round() / 1e6)
}

impl StatsRowView {
    fn new(tally: &Tally, slot_ms: f64) -> Self {
        let mean = |histogram: &Histogram, sum: u64| share(sum as f64 / 1e6, histogram.count() as f64);
        let [delay, run, response] = tally.sums;
        let tried = tally.ended().saturating_sub(tally.cancelled);
        Self {
            total: tally.ended(),
            completed: tally.completed,
            failed: tally.failed,
            timeout: tally.timeout,
            cancelled: tally.cancelled,
            success_rate: share(tally.completed as f64, tried as f64),
            mean_execution_seconds: mean(&tally.run, run),
            mean_delay_seconds: mean(&tally.delay, delay),
            mean_response_seconds: mean(&tally.response, response),
            delay_seconds: percentiles(&tally.delay),
            execution_seconds: percentiles(&tally.run),
            response_seconds: percentiles(&tally.response),
            utilisation: share(tally.busy_ms as f64, slot_ms),
            ..Self::default()
        }
    }
}

impl StatsView {
    /// A report, with the devices' names.
    #[must_use]
    pub fn new(report: &StatsReport, names: &dyn DeviceNames) -> Self {
        let period_ms = report.to_wall_ms.saturating_sub(report.from_wall_ms) as f64;
        let all_slots: u32 = report.slots.values().sum();
        let row = |(key, tally): (&String, &Tally)| match report.by {
            By::Type => StatsRowView {
                task_type: Some(key.clone()),
                ..StatsRowView::new(tally, period_ms * f64::from(all_slots))
            },
            By::Device => {
                let id = key.parse::<DeviceId>().ok();
                let slots = id.and_then(|id| report.slots.get(&id)).copied().unwrap_or(0);
                StatsRowView {
                    device: Some(id.map_or_else(|| key.clone(), |id| names.name(id))),
                    device_id: id.map(|id| id.to_string()),
                    ..StatsRowView::new(tally, period_ms * f64::from(slots))
                }
            }
        };
        let mut rows: Vec<_> = report.counts.by.iter().map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.total));
        let named = |devices: &[DeviceId]| devices.iter().map(|device| names.name(*device)).collect();
        Self {
            period_seconds: period_ms / 1e3,
            from: rfc3339(report.from_wall_ms),
            to: rfc3339(report.to_wall_ms),
            by: report.by,
            total: StatsRowView::new(&report.counts.all, period_ms * f64::from(all_slots)),
            rows,
            silent: named(&report.silent),
            partial: named(&report.partial),
        }
    }
}
