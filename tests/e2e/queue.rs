//! A device that holds as many open tasks as it may: it says so, drops nothing, and takes more when there is room.

use crate::device::Device;
use crate::trio::{NAMES, PATIENCE, device};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const LIMIT: usize = 4;

/// Asks over HTTP, as a program would: the status and the body.
fn post(node: &Device, path: &str, body: &str) -> (u16, Value) {
    let log = node.log();
    let http = log.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("it says where");
    let token = fs::read_to_string(node.dir.join("http-token")).expect("it is there");
    let mut stream = TcpStream::connect(http).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        token.trim(),
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let status = answer.split_whitespace().nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).expect("a body");
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
}

#[test]
fn a_full_queue_is_refused_in_words_drops_nothing_and_takes_more_when_there_is_room() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let limit = LIMIT.to_string();
    let mut node = device(&dir, NAMES[0], &["--queue-max", &limit, "--max-concurrent-tasks", "1"]);
    node.start();
    let first = node.submit(&["sleep", "-p", "duration=60"]);
    let rest: Vec<_> = (1..LIMIT).map(|n| node.submit(&["echo", "--payload", &n.to_string()])).collect();

    let said = node.say(&["submit", "echo", "-p", "n=1"]);
    assert!(said.code != 0 && said.code != 7, "{said:?}");
    for word in ["full", "4 open tasks", "nothing of this request was accepted", "wait until some are done"] {
        assert!(said.err.contains(word), "{word}: {said:?}");
    }
    let task = r#"{"task_type":"echo","payload":1}"#;
    let (status, problem) = post(&node, "/v1/tasks", task);
    assert_eq!((status, &problem["code"], &problem["status"]), (429, &"queue_full".into(), &429.into()), "{problem:#}");
    let (status, problem) = post(&node, "/v1/batches", &format!(r#"{{"name":"b","tasks":[{task}]}}"#));
    assert_eq!((status, &problem["code"]), (429, &"queue_full".into()), "{problem:#}");
    assert_eq!(node.json(&["ps"]).as_array().map(Vec::len), Some(LIMIT), "nothing more, and nothing less");

    assert_eq!(node.say(&["cancel", &first]).code, 0);
    for (id, n) in rest.iter().zip(1..) {
        assert_eq!(node.result(id, PATIENCE)["result"], n, "what was accepted is done");
    }
    let (status, accepted) = post(&node, "/v1/tasks", task);
    assert!(status < 300, "there is room: {status} {accepted:#}");
    let more = node.submit(&["echo", "--payload", "7"]);
    assert_eq!(node.result(&more, PATIENCE)["result"], 7);
}
