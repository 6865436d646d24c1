//! Log lines for programs: `timestamp service instance_id sequence trace_id message`, and the event's other fields under `fields`.
//! The sequence is given when a line is written, so that it rises from line to line whichever threads they come from.

use crate::api::model::rfc3339;
use serde_json::{Map, Value};
use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

/// Formats events, with a place for the sequence.
#[derive(Debug, Default)]
pub(super) struct Json;

/// A line without its sequence has this in it. Texts have their quotes escaped, and a field of an event is never null.
const PLACE: &[u8] = b"\"sequence\":null";

/// Where lines are numbered and written, one after the other.
#[derive(Debug)]
pub(super) struct Lines<W>(Mutex<(u64, W)>);

impl<W> Lines<W> {
    pub(super) fn new(to: W) -> Self {
        Self(Mutex::new((0, to)))
    }
}

impl<'a, W: Write + 'a> MakeWriter<'a> for Lines<W> {
    type Writer = Line<'a, W>;

    fn make_writer(&'a self) -> Line<'a, W> {
        Line(self)
    }
}

/// Takes one line.
#[derive(Debug)]
pub(super) struct Line<'a, W>(&'a Lines<W>);

impl<W: Write> Write for Line<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sequence, to) = &mut *lines;
        match line.windows(PLACE.len()).position(|part| part == PLACE) {
            Some(at) => {
                let number = format!("\"sequence\":{sequence}");
                *sequence += 1;
                to.write_all(&[&line[..at], number.as_bytes(), &line[at + PLACE.len()..]].concat())?;
            }
            None => to.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).1.flush()
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

/// `trace_id` as the default field format writes it into a span: `… trace_id=abc …`, with quotes if it was a text. Needs a subscriber
/// without colours.
fn of_span(fields: &str) -> Option<String> {
    let (_, rest) = fields.split_once("trace_id=")?;
    let id = rest.trim_start_matches('"');
    let end = id.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(id.len());
    Some(id[..end].to_owned())
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut fields = fields.0;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let trace = fields.remove("trace_id").or_else(|| {
            let mut spans = context.event_scope()?;
            spans.find_map(|span| {
                let extensions = span.extensions();
                let text = extensions.get::<FormattedFields<N>>()?;
                of_span(&text.fields).map(Value::from)
            })
        });
        let mut line = Map::new();
        let timestamp = rfc3339(now.map_or(0, |now| now.as_millis() as u64));
        line.insert("timestamp".into(), timestamp.into());
        line.insert("level".into(), event.metadata().level().as_str().into());
        line.insert("service".into(), "rc-node".into());
        let instance = super::INSTANCE_ID.get().map(String::as_str);
        line.insert("instance_id".into(), instance.into());
        line.insert("sequence".into(), Value::Null);
        line.insert("trace_id".into(), trace.unwrap_or_default());
        let message = fields.remove("message").unwrap_or_else(|| "".into());
        line.insert("message".into(), message);
        line.insert("target".into(), event.metadata().target().into());
        if !fields.is_empty() {
            line.insert("fields".into(), fields.into());
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn subscriber(sink: &Sink) -> impl Subscriber + Send + Sync + use<> {
        let lines = Lines::new(sink.clone());
        tracing_subscriber::fmt().with_writer(lines).with_ansi(false).event_format(Json).finish()
    }

    #[test]
    fn the_sequence_rises_from_line_to_line_whichever_threads_write() {
        let sink = Sink::default();
        let dispatch = tracing::Dispatch::new(subscriber(&sink));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let dispatch = &dispatch;
                scope.spawn(move || {
                    tracing::dispatcher::with_default(dispatch, || {
                        (0..500).for_each(|n| tracing::info!(thread, n, "a \"sequence\":null of lines"));
                    });
                });
            }
        });
        let bytes = sink.0.lock().expect("not poisoned").clone();
        let text = String::from_utf8(bytes).expect("text");
        let of = |line| serde_json::from_str::<Value>(line).expect("JSON")["sequence"].as_u64();
        assert!(text.lines().map(of).eq((0..2_000).map(Some)), "{text}");
    }

    #[test]
    fn every_line_has_the_promised_fields_and_the_trace_of_its_span() {
        let sink = Sink::default();
        let subscriber = subscriber(&sink);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(trace_id = "ab12", tasks = 3, "one");
            let span = tracing::info_span!("attempt", epoch = 7, trace_id = "cd34");
            span.in_scope(|| tracing::warn!("a \"quoted\" line"));
        });
        let bytes = sink.0.lock().expect("not poisoned").clone();
        let text = String::from_utf8(bytes).expect("text");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 2);
        for (line, (sequence, trace, message)) in
            lines.iter().zip([(0, "ab12", "one"), (1, "cd34", "a \"quoted\" line")])
        {
            assert_eq!(line["sequence"], sequence);
            assert_eq!(line["trace_id"], trace);
            assert_eq!(line["message"], message);
            assert_eq!(line["service"], "rc-node");
            assert!(line["timestamp"].is_string() && line.get("instance_id").is_some());
        }
        assert_eq!(lines[0]["fields"]["tasks"], 3);
    }
}
