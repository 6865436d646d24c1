//! What the spans of a task are, and how they are written.

use crate::trace::{SpanId, Trace, TraceId};
use rc_scheduler::{Close, DeviceId, Fact, Record, Status, TaskId, TaskSpec};
use serde_json::{Value, json};

/// Made by a task, as OTLP has it.
const KIND_INTERNAL: u8 = 1;

/// A span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub(super) trace: TraceId,
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) name: &'static str,
    /// Milliseconds since 1970.
    pub(super) start_wall_ms: u64,
    pub(super) end_wall_ms: u64,
    pub(super) attributes: Vec<(&'static str, String)>,
    /// Why it did not go well.
    pub(super) error: Option<String>,
}

impl Span {
    pub(super) fn json(&self) -> Value {
        let nanos = |ms: u64| (u128::from(ms) * 1_000_000).to_string();
        let attribute = |(key, value): &(&str, String)| json!({"key": key, "value": {"stringValue": value}});
        let mut span = json!({
            "traceId": self.trace.to_string(),
            "spanId": self.id.to_string(),
            "name": self.name,
            "kind": KIND_INTERNAL,
            "startTimeUnixNano": nanos(self.start_wall_ms),
            // Two clocks may have written them.
            "endTimeUnixNano": nanos(self.end_wall_ms.max(self.start_wall_ms)),
            "attributes": self.attributes.iter().map(attribute).collect::<Vec<_>>(),
            "status": match &self.error {
                None => json!({"code": 1}),
                Some(error) => json!({"code": 2, "message": error}),
            },
        });
        if let Some(parent) = self.parent {
            span["parentSpanId"] = parent.to_string().into();
        }
        span
    }
}

/// Accepting tasks: handing them in, and waiting until enough disks have them.
pub(crate) fn of_submit(task: TaskId, trace: Trace, disks: usize, [begun, staged, ended]: [u64; 3]) -> Vec<Span> {
    let span = |name, start_wall_ms, end_wall_ms, attributes| Span {
        trace: trace.id,
        id: SpanId::of(task, name, 0),
        parent: Some(SpanId::of(task, "task", 0)),
        name,
        start_wall_ms,
        end_wall_ms,
        attributes,
        error: None,
    };
    vec![
        span("submit", begun, ended, vec![("rcnode.task.id", task.to_string())]),
        span("replicate", staged, ended, vec![("rcnode.disks", disks.to_string())]),
    ]
}

/// A task that has ended, with its attempts; none if its trace is not wanted, or if this device did not accept it.
pub(crate) fn of_task(me: DeviceId, task: TaskId, record: &Record, spec: Option<&TaskSpec>, now_ms: u64) -> Vec<Span> {
    let trace = Trace::of(task, spec);
    let state = record.resolve();
    let Some(submitted) = state.submitted.filter(|submitted| submitted.by == me && trace.sampled) else {
        return Vec::new();
    };
    let root = SpanId::of(task, "task", 0);
    let span = |name, epoch, start_wall_ms, end_wall_ms| Span {
        trace: trace.id,
        id: SpanId::of(task, name, epoch),
        parent: Some(root),
        name,
        start_wall_ms,
        end_wall_ms,
        attributes: Vec::new(),
        error: None,
    };
    let status = state.status();
    let mut whole = Span { parent: trace.parent, ..span("task", 0, submitted.wall_ms, now_ms) };
    whole.attributes = vec![("rcnode.task.id", task.to_string()), ("rcnode.task.status", status.word().to_owned())];
    whole.attributes.extend(spec.map(|spec| ("rcnode.task.type", spec.task_type.clone())));
    whole.error = (status != Status::Completed).then(|| status.word().to_owned());
    let mut spans = vec![whole];
    let mut closes: Vec<_> = record
        .facts()
        .filter_map(|fact| match fact {
            Fact::Closed(closed) => match &closed.close {
                Close::Finished(outcome) => Some((closed.epoch, closed.by, outcome)),
                Close::Released(_) => None,
            },
            _ => None,
        })
        .collect();
    closes.sort_by_key(|(epoch, ..)| *epoch);
    let mut ready = submitted.wall_ms;
    for (epoch, by, outcome) in closes {
        spans.push(span("schedule", epoch.0, ready, outcome.started_wall_ms));
        let mut attempt = span("execute", epoch.0, outcome.started_wall_ms, outcome.finished_wall_ms);
        attempt.attributes = vec![("rcnode.device.id", by.to_string()), ("rcnode.epoch", epoch.0.to_string())];
        attempt.error = outcome.error.as_ref().map(|(class, message)| format!("{class}: {message}"));
        spans.push(attempt);
        ready = outcome.finished_wall_ms;
    }
    if state.outcome.is_some() {
        spans.push(span("commit", 0, ready, now_ms));
    }
    spans
}
