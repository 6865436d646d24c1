//! Which columns tasks, devices and the rest have.

use super::{Card, Cell, Paint, Row, Style};
use crate::api::model::{
    AcceptedView, AttemptView, CancelledView, ClusterView, ErrorView, ExplainRowView, HistoryView, PeerView,
    ResultView, TaskDetail, TaskView, Usage,
};
use crate::config::units::show_duration;
use std::time::Duration;

type Head = (&'static [&'static str], &'static [&'static str]);

/// The one thing that is worth saying about a task beside its status.
fn note(reason: Option<&String>, detail: Option<&String>, error: Option<&ErrorView>) -> String {
    let error = error.map(|error| format!("{}: {}", error.class, error.message));
    error.or_else(|| Some(format!("{}: {}", reason?, detail?))).or_else(|| reason.cloned()).unwrap_or_default()
}

fn gb(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.1} GB"))
}

/// How far it is, and what it says of that.
fn done(percent: Option<u8>, text: Option<&String>) -> Option<String> {
    match (percent, text) {
        (Some(percent), Some(text)) => Some(format!("{percent} % {text}")),
        (Some(percent), None) => Some(format!("{percent} %")),
        (None, text) => text.cloned(),
    }
}

fn uses(usage: &Usage) -> String {
    let cpu = usage.cpu_seconds.map(|seconds| format!("{seconds:.2} s processor"));
    let memory = usage.max_memory_mb.map(|mb| format!("{mb:.1} MB memory"));
    cpu.into_iter().chain(memory).collect::<Vec<_>>().join(", ")
}

/// The tasks that one waits for; many are counted.
fn after(tasks: &[String]) -> String {
    const SHOWN: usize = 3;
    let more = tasks.len().saturating_sub(SHOWN);
    let shown = tasks.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.0} %"))
}

impl Row for TaskView {
    const HEAD: Head = (
        &["ID", "TYPE", "STATUS", "DEVICE", "AGE", "NAME", "NOTE"],
        &["PRIORITY", "SUBMITTER", "ATTEMPT", "DONE", "DISKS", "SUBMITTED", "TRACE"],
    );
    fn id(&self) -> String {
        self.task_id.clone()
    }
    fn cells(&self, style: &Style) -> Vec<Cell> {
        let note = note(self.reason.as_ref(), self.detail.as_ref(), self.error.as_ref());
        vec![
            Cell::new(&self.task_id),
            Cell::some(self.task_type.as_ref()),
            Cell::state(&self.status),
            Cell::some(self.device.as_ref()),
            style.age(self.submitted_at.as_ref()),
            Cell::some(self.name.as_ref()),
            Cell::new(note),
            Cell::some(self.priority.as_ref()),
            Cell::some(self.submitter.as_ref()),
            Cell::some(self.attempt),
            Cell::some(done(self.progress, self.progress_text.as_ref())),
            Cell::new(self.disks.to_string()),
            Cell::some(self.submitted_at.as_ref()),
            Cell::new(&self.trace_id),
        ]
    }
}

impl Row for PeerView {
    const HEAD: Head = (
        &["NAME", "STATE", "ROLE", "PLATFORM", "ARCH", "CORES", "CPU", "MEMORY", "TASKS", "BATTERY", "ID"],
        &["STORAGE", "TAGS", "LATENCY", "HEARD", "RUNS", "BLOCKED", "ADDRESS"],
    );
    fn id(&self) -> String {
        self.id.clone()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        let name = if self.me { format!("{} (this)", self.name) } else { self.name.clone() };
        let tasks = self.active_tasks.map(|active| {
            let max = self.max_concurrent_tasks.unwrap_or(0);
            match self.queued_tasks {
                Some(queued) if queued > 0 => format!("{active}/{max} +{queued}"),
                _ => format!("{active}/{max}"),
            }
        });
        let battery = self.battery_level.map(|level| {
            let charging = if self.charging == Some(true) { " charging" } else { "" };
            format!("{level:.0} %{charging}")
        });
        vec![
            Cell::new(name),
            Cell::state(&self.state),
            Cell::some(self.role.as_ref()),
            Cell::some(self.platform.as_ref()),
            Cell::some(self.arch.as_ref()),
            Cell::some(self.cpu_cores),
            Cell::new(percent(self.cpu_usage)),
            Cell::new(gb(self.memory_total_gb)),
            Cell::some(tasks),
            Cell::some(battery),
            Cell { text: self.id.clone(), paint: Paint::Dim },
            Cell::new(gb(self.storage_available_gb)),
            Cell::new(self.tags.join(",")),
            Cell::some(self.latency_ms.map(|ms| format!("{ms:.1} ms"))),
            Cell::some(self.heard_ms_ago.map(|ms| show_duration(Duration::from_millis(ms)))),
            Cell::new(self.task_types.join(",")),
            Cell::new(self.why_blocked()),
            Cell::some(self.address.as_ref()),
        ]
    }
}

impl Row for HistoryView {
    const HEAD: Head = (&["FACT", "AT", "BY", "ATTEMPT", "WHAT"], &["EPOCH", "ID"]);
    fn id(&self) -> String {
        self.fact.clone()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        let lost = if self.superseded { " (superseded)" } else { "" };
        vec![
            Cell::new(&self.fact),
            Cell::some(self.at.as_ref()),
            Cell::some(self.device.as_ref()),
            Cell::some(self.attempt),
            Cell::new(format!("{}{lost}", self.text)),
            Cell::some(self.epoch),
            Cell::some(self.device_id.as_ref()),
        ]
    }
}

impl Row for ExplainRowView {
    const HEAD: Head = (
        &["DEVICE", "SCORE", "CPU", "MEMORY", "LOAD", "NETWORK", "AFFINITY", "RUNS", "VERDICT"],
        &["WAIT", "TIE", "ID"],
    );
    fn id(&self) -> String {
        self.device_id.clone()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        let fits = self.unmet.is_empty();
        let number = |value: f64| {
            let text = if fits { format!("{value:.3}") } else { "-".to_owned() };
            Cell::new(text)
        };
        let verdict = match (self.chosen, fits) {
            (true, _) => Cell { text: "chosen".into(), paint: Paint::Good },
            (_, true) if self.avoided => Cell::new("fits, but has failed it"),
            (_, true) => Cell::new("fits"),
            _ => Cell { text: self.unmet.join("; "), paint: Paint::Bad },
        };
        vec![
            Cell::new(&self.device),
            number(self.score),
            number(self.terms.cpu),
            number(self.terms.memory),
            number(self.terms.load),
            number(self.terms.network),
            number(self.terms.affinity),
            Cell::new(format!("{}/{}", self.active_tasks, self.max_concurrent_tasks)),
            verdict,
            Cell::new(self.queued_tasks.to_string()),
            number(self.contention.total),
            Cell::new(&self.device_id),
        ]
    }
}

impl Row for AttemptView {
    const HEAD: Head = (&["ATTEMPT", "DEVICE", "OUTCOME", "STARTED", "FINISHED"], &["EPOCH", "GUARDIAN", "LATE"]);
    fn id(&self) -> String {
        self.epoch.to_string()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        vec![
            Cell::new(format!("{}{}", self.attempt, if self.beside.is_some() { " copy" } else { "" })),
            Cell::new(&self.device),
            Cell::state(&self.outcome),
            Cell::some(self.started_at.as_ref()),
            Cell::some(self.finished_at.as_ref()),
            Cell::new(self.epoch.to_string()),
            Cell::new(&self.guardian),
            Cell::new(if self.late { "late" } else { "" }),
        ]
    }
}

impl Row for CancelledView {
    const HEAD: Head = (&["ID", "STATUS"], &[]);
    fn id(&self) -> String {
        self.task_id.clone()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        vec![Cell::new(&self.task_id), Cell::state(&self.status)]
    }
}

impl Row for AcceptedView {
    const HEAD: Head = (&["ID", "STATUS", "DISKS", "DEVICE"], &["STORED ON", "TRACE"]);
    fn id(&self) -> String {
        self.task_id.clone()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        vec![
            Cell::new(&self.task_id),
            Cell::state(&self.status),
            Cell::new(self.acks.to_string()),
            Cell::some(self.placement.as_ref().map(|place| &place.device)),
            Cell::new(self.ack_devices.join(",")),
            Cell::new(&self.trace_id),
        ]
    }
}

impl Row for ResultView {
    const HEAD: Head = (&["ID", "STATUS", "DEVICE", "RESULT"], &["ATTEMPT", "DISKS", "CPU", "MEMORY", "FINISHED"]);
    fn id(&self) -> String {
        self.task_id.clone()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        let usage = self.resource_usage.as_ref();
        let result = self.result.as_ref().map(|result| result.get().to_owned());
        let error = self.error.as_ref().map(|error| format!("{}: {}", error.class, error.message));
        vec![
            Cell::new(&self.task_id),
            Cell::state(&self.status),
            Cell::some(self.device.as_ref()),
            Cell::some(error.or(result)),
            Cell::some(self.attempt),
            Cell::new(self.disks.to_string()),
            Cell::some(usage.and_then(|u| u.cpu_seconds).map(|s| format!("{s:.2} s"))),
            Cell::some(usage.and_then(|u| u.max_memory_mb).map(|mb| format!("{mb:.1} MB"))),
            Cell::some(self.finished_at.as_ref()),
        ]
    }
}

impl Card for ClusterView {
    fn id(&self) -> String {
        self.id.clone()
    }
    fn lines(&self, _: bool, _: &Style) -> Vec<(&'static str, Cell)> {
        let disk = if self.storage_healthy { "takes new facts" } else { "REFUSES new facts" };
        let synced = if self.synced { "yes" } else { "not yet: asking the others what was missed" };
        let mut lines = vec![
            ("name", Cell::new(&self.name)),
            ("id", Cell::new(&self.id)),
            ("version", Cell::new(&self.version)),
            ("up", Cell::new(show_duration(Duration::from_secs(self.uptime_s)))),
            ("incarnation", Cell::new(&self.incarnation)),
            ("listening", Cell::new(self.listening.join(" "))),
            ("devices", Cell::new(format!("{} of {} heard", self.peers_up, self.members))),
            (
                "tasks",
                Cell::new(format!("{} open, {} running here, {} kept", self.tasks_open, self.running, self.tasks_kept)),
            ),
            ("synced", Cell::new(synced)),
            ("disk", Cell::new(disk)),
        ];
        lines.extend(self.blocked.iter().map(|why| ("takes no work", Cell::new(why))));
        lines.extend(self.storage_found.iter().map(|found| ("at the start", Cell::new(found))));
        lines
    }
}

impl Card for TaskDetail {
    fn id(&self) -> String {
        self.task_id.clone()
    }
    fn lines(&self, wide: bool, style: &Style) -> Vec<(&'static str, Cell)> {
        let note = note(self.reason.as_ref(), self.detail.as_ref(), self.error.as_ref());
        let mut lines = vec![
            ("task", Cell::new(&self.task_id)),
            ("type", Cell::some(self.task_type.as_ref())),
            ("status", Cell::state(&self.status)),
            ("note", Cell::new(note)),
            ("device", Cell::some(self.device.as_ref())),
            ("done", Cell::some(done(self.progress, self.progress_text.as_ref()))),
            ("uses", Cell::some(self.resource_usage.as_ref().map(uses))),
            ("submitted", Cell::some(self.submitted_at.as_ref())),
            ("age", style.age(self.submitted_at.as_ref())),
            ("accepted by", Cell::some(self.acceptor.as_ref())),
            ("priority", Cell::some(self.priority.as_ref())),
            ("submitter", Cell::some(self.submitter.as_ref())),
            // Those that have the end: before it there is nothing to tell.
            ("disks", Cell::some((self.disks > 0).then(|| self.disks.to_string()).as_ref())),
            ("after", Cell::new(after(&self.after))),
            (
                "batch",
                Cell::some(
                    self.batch
                        .as_ref()
                        .map(|place| format!("{}, place {} of {}", place.batch_id, place.index, place.of)),
                ),
            ),
            ("requirements", Cell::new(self.requirements.to_string())),
            ("payload", Cell::some(self.payload.as_ref().map(|raw| clip(raw.get(), wide)))),
        ];
        if wide {
            lines.extend([
                ("retry", Cell::new(self.retry.to_string())),
                ("permissions", Cell::new(self.required_permissions.join(","))),
                ("key", Cell::some(self.idempotency_key.as_ref())),
                ("extra", Cell::some(self.extra.as_ref().map(|raw| raw.get()))),
                ("trace", Cell::new(&self.trace_id)),
            ]);
        }
        lines
    }
}

impl Card for CancelledView {
    fn id(&self) -> String {
        self.task_id.clone()
    }
    fn lines(&self, _: bool, _: &Style) -> Vec<(&'static str, Cell)> {
        vec![("task", Cell::new(&self.task_id)), ("status", Cell::state(&self.status))]
    }
}

fn clip(text: &str, wide: bool) -> String {
    const MAX: usize = 160;
    if wide || text.chars().count() <= MAX {
        return text.to_owned();
    }
    text.chars().take(MAX).chain(['…']).collect()
}

/// Everything about an end, for `-o wide`.
pub(in crate::cli) struct ResultCard<'a>(&'a ResultView);

/// A result as labelled lines.
pub(in crate::cli) const fn result_card(view: &ResultView) -> ResultCard<'_> {
    ResultCard(view)
}

impl serde::Serialize for ResultCard<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Card for ResultCard<'_> {
    fn id(&self) -> String {
        self.0.task_id.clone()
    }
    fn lines(&self, _: bool, style: &Style) -> Vec<(&'static str, Cell)> {
        let (head, more) = <ResultView as Row>::HEAD;
        const LABELS: [&str; 9] =
            ["task", "status", "device", "result", "attempt", "disks", "cpu", "memory", "finished"];
        debug_assert_eq!(head.len() + more.len(), LABELS.len());
        LABELS.into_iter().zip(self.0.cells(style)).collect()
    }
}
