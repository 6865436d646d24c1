//! Which columns batches and their tasks have.

use super::{Card, Cell, Paint, Row, Style};
use crate::api::model::{BatchDone, BatchTaskView, BatchView, FlowTaskView};
use crate::config::units::show_duration;
use std::time::Duration;

type Head = (&'static [&'static str], &'static [&'static str]);

/// How many stand where, in words.
fn standing(batch: &BatchView) -> String {
    let counts = batch.by_status.iter().map(|(status, count)| format!("{count} {status}"));
    counts.collect::<Vec<_>>().join(", ")
}

fn eta(batch: &BatchView) -> Option<String> {
    batch.eta_seconds.map(|seconds| show_duration(Duration::from_secs_f64(seconds.clamp(0.0, 1e9))))
}

fn percent(batch: &BatchView) -> String {
    format!("{:.0} %", (batch.progress * 100.0).floor())
}

fn failed(batch: &BatchView) -> Cell {
    let paint = if batch.failed > 0 { Paint::Bad } else { Paint::Plain };
    Cell { text: batch.failed.to_string(), paint }
}

impl Row for BatchView {
    const HEAD: Head = (&["ID", "NAME", "KIND", "TASKS", "DONE", "FAILED", "ETA", "AGE"], &["STANDING", "DESCRIPTION"]);
    fn id(&self) -> String {
        self.batch_id.clone()
    }
    fn cells(&self, style: &Style) -> Vec<Cell> {
        vec![
            Cell::new(&self.batch_id),
            Cell::some(self.name.as_ref()),
            Cell::new(&self.kind),
            Cell::new(self.total.to_string()),
            Cell::new(percent(self)),
            failed(self),
            Cell::some(eta(self)),
            style.age(self.submitted_at.as_ref()),
            Cell::new(standing(self)),
            Cell::some(self.description.as_ref()),
        ]
    }
}

impl Card for BatchView {
    fn id(&self) -> String {
        self.batch_id.clone()
    }
    fn lines(&self, _: bool, style: &Style) -> Vec<(&'static str, Cell)> {
        let mut lines = vec![
            (if self.kind == "flow" { "flow" } else { "batch" }, Cell::new(&self.batch_id)),
            ("name", Cell::some(self.name.as_ref())),
            ("description", Cell::some(self.description.as_ref())),
            ("done", Cell::new(format!("{} of {} ({})", self.completed, self.total, percent(self)))),
            ("failed", failed(self)),
            ("cancelled", Cell::some(Some(self.cancelled).filter(|count| *count > 0))),
            ("standing", Cell::new(standing(self))),
            ("eta", Cell::some(eta(self))),
            ("submitted", Cell::some(self.submitted_at.as_ref())),
            ("age", style.age(self.submitted_at.as_ref())),
        ];
        if !self.silent.is_empty() {
            lines.push(("no answer", Cell { text: self.silent.join(", "), paint: Paint::Bad }));
        }
        lines
    }
}

impl Row for BatchTaskView {
    const HEAD: Head = (&["PLACE", "ID", "STATUS", "DEVICE", "NAME", "NOTE"], &[]);
    fn id(&self) -> String {
        self.task_id.clone()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        let note = self.error.as_ref().map(|error| format!("{}: {}", error.class, error.message));
        vec![
            Cell::new(self.index.to_string()),
            Cell::new(&self.task_id),
            Cell::state(&self.status),
            Cell::some(self.device.as_ref()),
            Cell::some(self.name.as_ref()),
            Cell::some(note),
        ]
    }
}

impl Row for FlowTaskView {
    const HEAD: Head = (&["NAME", "STATUS", "TYPE", "DEVICE", "AFTER", "NOTE"], &["ID", "STARTED", "FINISHED"]);
    fn id(&self) -> String {
        self.task_id.clone().unwrap_or_default()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        const AFTER_SHOWN: usize = 4;
        let error = self.error.as_ref().map(|error| format!("{}: {}", error.class, error.message));
        // What it waits for stands beside it already.
        let detail = self.detail.clone().filter(|_| self.reason.as_deref() != Some("WaitingDependency"));
        let mut after: Vec<_> = self.after.iter().take(AFTER_SHOWN).cloned().collect();
        if self.after.len() > AFTER_SHOWN {
            after.push(format!("{} more", self.after.len() - AFTER_SHOWN));
        }
        vec![
            Cell::some(self.name.as_ref()),
            Cell::state(&self.status),
            Cell::some(self.task_type.as_ref()),
            Cell::some(self.device.as_ref()),
            Cell::new(after.join(", ")),
            Cell::some(error.or(detail)),
            Cell::some(self.task_id.as_ref()),
            Cell::some(self.started_at.as_ref()),
            Cell::some(self.finished_at.as_ref()),
        ]
    }
}

impl Card for BatchDone {
    fn id(&self) -> String {
        self.batch_id.clone()
    }
    fn lines(&self, _: bool, _: &Style) -> Vec<(&'static str, Cell)> {
        let mut lines = vec![("batch", Cell::new(&self.batch_id)), ("tasks", Cell::new(self.tasks.to_string()))];
        if self.refused > 0 {
            lines.push(("refused", Cell { text: self.refused.to_string(), paint: Paint::Bad }));
            lines.push(("why", Cell::some(self.why.as_ref())));
        }
        lines
    }
}

/// A bar, how many are done, and how long the rest may take.
pub(in crate::cli) fn bar(batch: &BatchView) -> String {
    const WIDTH: usize = 24;
    let part = |count: usize| (count * WIDTH).checked_div(batch.total).unwrap_or(0).min(WIDTH);
    let ended = part(batch.completed + batch.failed + batch.cancelled);
    let good = part(batch.completed).min(ended);
    let bar = format!("[{}{}{}]", "#".repeat(good), "!".repeat(ended - good), ".".repeat(WIDTH - ended));
    let some = |count: usize, word: &str| if count > 0 { format!(", {count} {word}") } else { String::new() };
    let bad = some(batch.failed, "failed") + &some(batch.cancelled, "cancelled");
    let eta = eta(batch).map_or_else(String::new, |eta| format!(", {eta} left"));
    format!("{bar} {} of {} ({}){bad}{eta}", batch.completed, batch.total, percent(batch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::model::BatchHead;
    use rc_scheduler::{BatchFound, BatchId, Status};

    #[test]
    fn a_bar_has_its_width_whatever_is_done() {
        for (completed, failed, open) in [(0, 0, 3), (1, 0, 2), (1, 2, 0), (9_999, 1, 0), (0, 0, 1)] {
            let of = |count, status| std::iter::repeat_n(Some(status), count);
            let statuses = of(completed, Status::Completed).chain(of(failed, Status::Failed));
            let statuses = statuses.chain(of(open, Status::Pending)).collect();
            let found = BatchFound { batch: BatchId([1; 16]), statuses, tasks: vec![] };
            let text = bar(&BatchView::new(&found, &BatchHead::default(), 1_000, 61_000));
            assert_eq!(text.find(']'), Some(25), "{text}");
            assert_eq!(text.contains("failed"), failed > 0, "{text}");
            assert_eq!(text.contains("left"), open > 0 && completed + failed > 0, "{text}");
        }
    }
}
