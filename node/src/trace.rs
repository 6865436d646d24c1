//! Which trace a task belongs to (W3C trace context), and the names of the spans in it.
//!
//! The device that accepts a task gives it a trace, or takes over that of whoever submits; it travels in the task's specification, so
//! that every device can tell it. A task with an idempotency key has the one that follows from its id: two requests with one key are
//! one task, whatever traces they came with. Knows nothing of who writes spans down.

mod context;
mod ids;

pub use context::{BadTraceparent, SpanId, TraceId, Traceparent};
pub use ids::TraceIds;

use rc_scheduler::{Bytes, Epoch, NewTask, TaskId, TaskSpec};
use std::fmt;
use std::str::FromStr;

/// The field of a specification's `extra` that names the trace; the last one.
const FIELD: &str = "\"trace\":\"";

/// The trace of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// The span of whoever submitted it, if that was within a trace.
    pub parent: Option<SpanId>,
    /// Whoever began the trace wants its spans recorded; so it is if nobody says otherwise.
    pub sampled: bool,
}

impl Trace {
    /// One that begins here.
    #[must_use]
    pub const fn new(id: TraceId) -> Self {
        Self { id, parent: None, sampled: true }
    }

    /// That of a task with this specification; of one that names none, the one that follows from its id.
    #[must_use]
    pub fn of(task: TaskId, spec: Option<&TaskSpec>) -> Self {
        let named = spec.and_then(|spec| named(&spec.extra));
        named.unwrap_or_else(|| Self::new(TraceId::of_task(task)))
    }

    /// What an attempt is given, so that what it does becomes a part of the trace.
    #[must_use]
    pub fn of_attempt(self, task: TaskId, epoch: Epoch) -> Traceparent {
        Traceparent { trace: self.id, span: SpanId::of(task, "execute", epoch.0), sampled: self.sampled }
    }

    /// What whoever submitted the task is told: the span that stands for the whole of it.
    #[must_use]
    pub fn response(self, task: TaskId) -> Traceparent {
        Traceparent { trace: self.id, span: SpanId::of(task, "task", 0), sampled: self.sampled }
    }
}

impl From<Traceparent> for Trace {
    fn from(context: Traceparent) -> Self {
        Self { id: context.trace, parent: Some(context.span), sampled: context.sampled }
    }
}

/// Without a parent: the id. With one: id, parent and flags.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parent {
            Some(parent) => write!(f, "{}-{parent}-{:02x}", self.id, u8::from(self.sampled)),
            None => write!(f, "{}", self.id),
        }
    }
}

impl FromStr for Trace {
    type Err = BadTraceparent;

    fn from_str(text: &str) -> Result<Self, BadTraceparent> {
        match text.split_once('-') {
            None => text.parse().map(Self::new),
            Some(_) => format!("00-{text}").parse::<Traceparent>().map(Self::from),
        }
    }
}

/// Puts a task into a trace, if it is in none and has no idempotency key. True if it did.
pub fn stamp(task: &mut NewTask, trace: impl FnOnce() -> Trace) -> bool {
    let spec = &mut task.spec;
    if spec.idempotency_key.is_some() || named(&spec.extra).is_some() {
        return false;
    }
    let rest = match spec.extra.as_slice() {
        [] => "",
        [b'{', rest @ .., b'}'] => match std::str::from_utf8(rest) {
            Ok(rest) => rest,
            Err(_) => return false,
        },
        // An embedder's own words, which are left as they are.
        _ => return false,
    };
    let comma = if rest.trim().is_empty() { "" } else { "," };
    spec.extra = Bytes::from(format!("{{{rest}{comma}{FIELD}{}\"}}", trace()).into_bytes());
    true
}

/// The trace that a specification names.
#[must_use]
pub fn named(extra: &[u8]) -> Option<Trace> {
    find(extra).map(|(_, trace)| trace)
}

/// What a specification says beside the trace, as JSON text, and the trace.
#[must_use]
pub fn split(extra: &[u8]) -> (Bytes, Option<Trace>) {
    match find(extra) {
        Some(("{", trace)) => (Bytes::default(), Some(trace)),
        Some((rest, trace)) => (format!("{rest}}}").into_bytes().into(), Some(trace)),
        None => (extra.into(), None),
    }
}

/// Looks at the end only: what people name so within their own data ends otherwise. The rest has no last bracket.
fn find(extra: &[u8]) -> Option<(&str, Trace)> {
    let text = std::str::from_utf8(extra).ok()?;
    let (rest, value) = text.strip_suffix("\"}")?.rsplit_once(FIELD)?;
    let trace = value.parse().ok()?;
    let rest = rest.strip_suffix(',').or_else(|| (rest == "{").then_some(rest))?;
    Some((rest, trace))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(extra: &str, key: Option<&str>) -> NewTask {
        let spec =
            TaskSpec { extra: extra.as_bytes().into(), idempotency_key: key.map(str::to_owned), ..TaskSpec::default() };
        NewTask { spec, payload: b"{}".as_slice().into(), after_new: Vec::new() }
    }

    #[test]
    fn a_trace_goes_into_the_specification_and_comes_out_again() {
        let own = Trace::new(TraceId::new(7).unwrap());
        let told: Traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00".parse().unwrap();
        for trace in [own, told.into()] {
            for extra in ["", "{}", r#"{"name":"n"}"#, r#"{"labels":{"trace":"00000000000000000000000000000001"}}"#] {
                let mut task = task(extra, None);
                assert_eq!(named(&task.spec.extra), None, "{extra}");
                assert!(stamp(&mut task, || trace), "{extra}");
                assert!(!stamp(&mut task, || unreachable!("it has one")), "{extra}");
                let text = String::from_utf8(task.spec.extra.to_vec()).unwrap();
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(value["trace"], trace.to_string(), "{text}");
                let (rest, found) = split(&task.spec.extra);
                assert_eq!(found, Some(trace), "{text}");
                assert_eq!(rest.as_slice(), if extra == "{}" { b"" } else { extra.as_bytes() });
                assert_eq!(Trace::of(TaskId([9; 16]), Some(&task.spec)), trace);
            }
        }
    }

    #[test]
    fn one_key_is_one_task_whatever_trace_it_comes_with() {
        let mut keyed = task("", Some("k"));
        assert!(!stamp(&mut keyed, || unreachable!("its trace follows from its id")));
        assert_eq!(keyed, task("", Some("k")));
        let id = TaskId([9; 16]);
        assert_eq!(Trace::of(id, Some(&keyed.spec)).id.to_string(), "09".repeat(16));
    }

    #[test]
    fn words_that_are_no_object_are_left_alone() {
        for odd in ["[1]", "null", "{\"a\":1", "  "] {
            let mut task = task(odd, None);
            assert!(!stamp(&mut task, || Trace::new(TraceId::new(7).unwrap())), "{odd}");
            assert_eq!(task.spec.extra.as_slice(), odd.as_bytes());
        }
    }
}
