//! A task belongs to a trace: that of whoever submits it, or one of its own. It is told to commands and servers, and stands in the log.

use crate::trio::{PATIENCE, device};
use crate::wait::until;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{SystemTime, UNIX_EPOCH};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CONTEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_trace_goes_from_whoever_submits_to_what_runs_and_into_the_log() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let more = ["--allow", "command,http_request", "--http-allow", "127.0.0.1", "--log-format", "json"];
    let mut node = device(&dir, "attic", &more);
    node.start();

    let print = r#"{"command":"echo $RC_TRACEPARENT","shell":true}"#;
    let submit = ["submit", "command", "--payload", print];
    let told = node.json(&[&submit[..], &["--traceparent", CONTEXT]].concat());
    assert_eq!(told["trace_id"], TRACE, "{told:#}");
    let result = node.result(told["task_id"].as_str().expect("an id"), PATIENCE);
    let shown = result["result"]["stdout"].as_str().expect("text").trim().to_owned();
    assert!(shown.starts_with(&format!("00-{TRACE}-")) && shown.ends_with("-01"), "{shown}");
    assert!(!shown.contains("00f067aa0ba902b7"), "a span of its own: {shown}");
    let seen = node.json(&["show", "last"]);
    assert_eq!((&seen["trace_id"], &seen["extra"]), (&TRACE.into(), &Value::Null), "{seen:#}");

    // As a command that submits would find it.
    let mut command = node.command(&[&submit[..], &["-o", "json"]].concat());
    command.env("RC_TRACEPARENT", &shown);
    let said = crate::device::finish(command, b"");
    assert_eq!(said.json()["trace_id"], TRACE, "{said:?}");
    let said = node.say(&[&submit[..], &["--traceparent", "00-0-0-0"]].concat());
    assert_eq!(said.code, 2, "{said:?}");

    let own = node.json(&submit);
    let id = u128::from_str_radix(own["trace_id"].as_str().expect("an id"), 16).expect("hexadecimal");
    let at = 1_577_836_800_000 + (id as u64 >> 22);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis() as u64;
    assert!(now.abs_diff(at) < 60_000, "{id:x} is from {at}, and now is {now}");

    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("url=http://{}/", server.local_addr().expect("an address"));
    node.submit(&["http_request", "-p", &url, "--traceparent", CONTEXT]);
    let (mut stream, _) = server.accept().expect("a request");
    let mut head = [0; 4096];
    let len = stream.read(&mut head).expect("a head");
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("an answer");
    let head = String::from_utf8_lossy(&head[..len]).to_ascii_lowercase();
    assert!(head.contains(&format!("traceparent: 00-{TRACE}-")), "{head}");
}

#[test]
fn every_line_about_a_task_names_its_trace() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, "attic", &["--log-format", "json"]);
    node.log_level = Some("error,rc_node=debug".to_owned());
    node.start();
    let told = node.json(&["submit", "echo", "--traceparent", CONTEXT]);
    let id = told["task_id"].as_str().expect("an id").to_owned();
    node.result(&id, PATIENCE);
    until("the end is in the log", PATIENCE, || {
        let log = node.log();
        let mut lines = Vec::new();
        for line in log.lines() {
            lines.push(serde_json::from_str::<Value>(line).map_err(|error| format!("{line}: {error}"))?);
        }
        let of_task: Vec<_> = lines.iter().filter(|line| line["fields"]["task"] == id.as_str()).collect();
        let said: Vec<_> = of_task.iter().filter_map(|line| line["message"].as_str()).collect();
        if !(said.contains(&"starting") && said.contains(&"settled")) {
            return Err(format!("{said:?}"));
        }
        assert!(of_task.iter().all(|line| line["trace_id"] == TRACE), "{of_task:#?}");
        assert!(lines.iter().map(|line| line["sequence"].as_u64()).eq((0..lines.len() as u64).map(Some)), "{log}");
        assert!(lines.iter().all(|line| line.get("trace_id").is_some()), "{log}");
        for field in ["timestamp", "service", "instance_id", "message"] {
            assert!(lines.iter().all(|line| line[field].is_string()), "{field}: {log}");
        }
        Ok(())
    });
}
