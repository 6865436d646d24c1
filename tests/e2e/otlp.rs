//! Spans of a task arrive at a collector, which may be slow to take them, or not be there at all.

use crate::device::Device;
use crate::trio::{PATIENCE, Trio, address, device};
use crate::wait::until;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CONTEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Takes what is posted to it, all but the first request, and keeps the spans.
struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let spans = Arc::<Mutex<Vec<Value>>>::default();
        let kept = Arc::clone(&spans);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().enumerate() {
                let stream = stream.expect("a connection");
                let mut reader = BufReader::new(&stream);
                let (mut length, mut line) = (0, String::new());
                assert!(reader.read_line(&mut line).is_ok() && line.starts_with("POST /v1/traces "), "{line}");
                while line != "\r\n" {
                    line.clear();
                    reader.read_line(&mut line).expect("a header");
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a number");
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("a body");
                let status = if n == 0 { "503 Service Unavailable" } else { "200 OK" };
                if n > 0 {
                    let told: Value = serde_json::from_slice(&body).expect("JSON");
                    let more = told["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("spans").clone();
                    kept.lock().expect("not poisoned").extend(more);
                }
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
                (&stream).write_all(answer.as_bytes()).expect("an answer");
            }
        });
        Self { url, spans }
    }

    fn of_trace(&self, trace: &str) -> Vec<Value> {
        let spans = self.spans.lock().expect("not poisoned");
        spans.iter().filter(|span| span["traceId"] == trace).cloned().collect()
    }
}

fn named<'a>(spans: &'a [Value], name: &str) -> Vec<&'a Value> {
    spans.iter().filter(|span| span["name"] == name).collect()
}

fn time(span: &Value, field: &str) -> u128 {
    span[field].as_str().expect("a text").parse().expect("nanoseconds")
}

/// One more device of the cluster, with flags of its own.
fn join(dir: &tempfile::TempDir, first: &Device, more: &[&str]) -> Device {
    let mut other = device(dir, "loft", more);
    other.join(&first.ticket());
    other.flags.extend(["--peer".to_owned(), address(first)]);
    other.start();
    other
}

#[test]
fn the_spans_of_a_task_arrive_once_and_belong_together() {
    let collector = Collector::start();
    let trio = Trio::start(&[]);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let loft = join(&dir, &trio.nodes[0], &["--otlp", &collector.url]);
    let id = loft.submit(&["sleep", "-p", "duration=0.3", "--traceparent", CONTEXT]);
    loft.submit(&["echo", "--traceparent", &CONTEXT.replace("-01", "-00").replace("4bf9", "5bf9")]);
    loft.result(&id, PATIENCE);
    let names = ["commit", "execute", "replicate", "schedule", "submit", "task"];
    until("all have arrived", PATIENCE, || {
        let spans = collector.of_trace(TRACE);
        let mut told: Vec<_> = spans.iter().filter_map(|span| span["name"].as_str()).collect();
        told.sort_unstable();
        if told == names { Ok(()) } else { Err(format!("{told:?}")) }
    });
    let spans = collector.of_trace(TRACE);
    let task = named(&spans, "task")[0];
    assert_eq!(task["parentSpanId"], "00f067aa0ba902b7", "of whoever submitted: {task:#}");
    assert!(names[..5].iter().all(|name| named(&spans, name)[0]["parentSpanId"] == task["spanId"]), "{spans:#?}");
    let execute = named(&spans, "execute")[0];
    let run = time(execute, "endTimeUnixNano") - time(execute, "startTimeUnixNano");
    assert!((250_000_000..5_000_000_000).contains(&run), "{execute:#}");
    assert_eq!(execute["status"]["code"], 1, "{execute:#}");
    for span in &spans {
        assert!(time(span, "startTimeUnixNano") <= time(span, "endTimeUnixNano"), "{span:#}");
    }
    let others = collector.spans.lock().expect("not poisoned").iter().any(|span| span["traceId"] != TRACE);
    assert!(!others, "whoever submitted the other task does not want its trace");
}

#[test]
fn a_collector_that_is_not_there_holds_nothing_up() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, "attic", &["--otlp", &url]);
    node.start();
    let id = node.submit(&["echo"]);
    assert_eq!(node.result(&id, PATIENCE)["status"], "completed");
    until("what was dropped is counted", PATIENCE, || {
        let figures = node.say(&["metrics"]).out;
        let dropped = figures.lines().find_map(|line| line.strip_prefix("rcnode_spans_dropped_total "));
        let some = dropped.is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count >= 6));
        if some { Ok(()) } else { Err(format!("{dropped:?}")) }
    });
    assert!(node.log().contains("the collector takes no spans"), "{}", node.log());
    let mut bad = device(&dir, "other", &["--otlp", "grpc://collector"]);
    let flags: Vec<_> = std::mem::take(&mut bad.flags);
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    let said = bad.say(&[&["run"], &flags[..]].concat());
    assert!(said.code == 2 && said.err.contains("otlp"), "{said:?}");
}
