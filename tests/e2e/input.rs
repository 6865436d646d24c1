//! Bad input: a clear error each time, and the node lives on.

use crate::device::{Device, Said, finish};
use crate::trio::{NAMES, PATIENCE, Trio, address, device};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// One node alone.
fn single(more: &[&str]) -> (Device, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, "attic", more);
    node.start();
    (node, dir)
}

/// It still does what it is for.
fn lives(node: &mut Device) {
    assert!(node.is_alive(), "the node died");
    let id = node.submit(&["echo", "--payload", "1"]);
    assert_eq!(node.result(&id, PATIENCE)["status"], "completed");
}

/// A short message for people: what, why, what to do.
fn is_clear(said: &Said) -> bool {
    said.out.is_empty() && said.err.starts_with("error: ") && said.err.len() < 2_000 && !said.err.contains("panicked")
}

#[test]
fn a_task_that_makes_no_sense_is_refused_with_the_reason() {
    let (mut node, _dir) = single(&[]);
    for (task, word) in [
        (r#"{"task_type":"echo","paylaod":1}"#, "paylaod"),
        (r#"{"task_type":"echo","requirements":{"min_cpu_core":1}}"#, "min_cpu_core"),
        (r#"{"task_type":7}"#, "task_type"),
        (r#"{"task_type":"echo","priority":3}"#, "priority"),
        (r#"{"task_type":"echo","priority":"asap"}"#, "asap"),
        (r#"{"payload":1}"#, "task_type"),
        (r#"{"task_type":"echo","requirements":{"min_cpu_cores":-1}}"#, "min_cpu_cores"),
        (r#"{"task_type":"echo","requirements":{"min_memory_gb":1e300}}"#, "min_memory_gb"),
        (r#"{"task_type":"echo","requirements":{"timeout_seconds":-5}}"#, "timeout_seconds"),
        (r#"{"task_type":"echo","requirements":{"timeout_seconds":1e99}}"#, "timeout_seconds"),
        (r#"{"task_type":"echo","requirements":{"max_retries":-1}}"#, "max_retries"),
        (r#"{"task_type":"echo","requirements":{"required_platform":"amiga"}}"#, "amiga"),
        (r#"{"task_type":"echo","requirements":[]}"#, "requirements"),
        ("{\"task_type\":\"echo\"", "JSON"),
        ("this is not JSON", "JSON"),
        ("[[[[[[[[", "JSON"),
        ("", "JSON"),
        ("\u{0}\u{1}", "JSON"),
    ] {
        let file = node.dir.with_extension("task");
        fs::write(&file, task).expect("room");
        let said = node.say(&["submit", "--file", file.to_str().expect("UTF-8")]);
        assert_eq!(said.code, 2, "{task}: {said:?}");
        assert!(is_clear(&said) && said.err.contains(word), "{task}: {said:?}");
    }
    for payload in ["{", "nope", "{\"a\":1,}", "NaN"] {
        let said = node.say(&["submit", "echo", "--payload", payload]);
        assert!(said.code == 2 && is_clear(&said) && said.err.contains("JSON"), "{payload}: {said:?}");
    }
    lives(&mut node);
}

#[test]
fn payloads_that_a_type_cannot_use_fail_the_task_for_good() {
    let (mut node, _dir) = single(&[]);
    for payload in
        ["{\"duration\":-1}", "{\"duration\":1e300}", "{\"duration\":\"long\"}", "{}", "{\"duration\":1,\"x\":2}"]
    {
        let said = node.say(&["submit", "sleep", "--payload", payload, "--wait"]);
        assert_eq!(said.code, 1, "{payload}: {said:?}");
        assert!(said.err.contains("invalid_payload"), "{payload}: {said:?}");
    }
    lives(&mut node);
}

#[test]
fn a_payload_of_100_mb_is_refused() {
    let (mut node, dir) = single(&[]);
    let file = dir.path().join("large");
    fs::write(&file, format!("\"{}\"", "x".repeat(100_000_000))).expect("room");
    let said = node.say(&["submit", "echo", "--payload", &format!("@{}", file.display())]);
    assert!(said.code == 2 && is_clear(&said) && said.err.contains("too large"), "{said:?}");
    let said = finish(node.command(&["submit", "echo", "--payload", "-"]), &fs::read(&file).expect("just written"));
    assert!(said.code == 2 && is_clear(&said) && said.err.contains("too large"), "{said:?}");
    lives(&mut node);
}

#[test]
fn what_no_device_can_run_waits_and_says_why() {
    let trio = Trio::start(&[]);
    let node = &trio.nodes[1];
    for (args, word) in [
        (&["no_such_type"][..], "no_such_type"),
        (&["command", "--payload", "{\"argv\":[\"true\"]}"], "command"),
        (&["echo", "--required-platform", "android"], "android"),
        (&["echo", "--min-memory-gb", "100000"], "memory"),
        (&["echo", "--required-tags", "attic-only"], "attic-only"),
        (&["echo", "--exclude-devices", "attic,barn,cellar"], "exclude"),
    ] {
        let said = node.say(&[&["submit"], args, &["-o", "json"]].concat());
        assert_eq!(said.code, 7, "{args:?}: {said:?}");
        let id = said.json()["task_id"].as_str().expect("an id").to_owned();
        let shown = node.show(&id).expect("it was accepted");
        assert_eq!((&shown["status"], &shown["reason"]), (&"pending".into(), &"NoEligibleDevice".into()), "{shown:#}");
        assert!(shown["detail"].as_str().is_some_and(|why| why.contains(word)), "{word}: {shown:#}");
        assert_eq!(node.say(&["wait", &id, "--timeout", "200ms"]).code, 6);
        assert_eq!(node.say(&["result", &id]).code, 6);
    }
}

#[test]
fn ids_that_match_nothing_or_several_are_told_apart() {
    let (node, _dir) = single(&[]);
    let ids = [0, 1].map(|n| node.submit(&["echo", "--payload", &n.to_string()]));
    for verb in ["show", "result", "wait", "cancel", "explain", "history"] {
        for (id, code) in [("zzzz", 3), ("01", 8), ("", 2), ("../../etc/passwd", 3), ("%2e%2e", 3), ("ü", 3)] {
            let said = node.say(&[verb, id]);
            assert_eq!(said.code, code, "{verb} {id:?}: {said:?}");
            assert!(is_clear(&said), "{verb} {id:?}: {said:?}");
        }
    }
    assert_eq!(node.result(&ids[0], PATIENCE)["result"], 0);
    assert_eq!(node.json(&["show", "last"])["task_id"], ids[1].as_str());
}

#[test]
fn garbage_on_the_ports_harms_nobody() {
    let mut trio = Trio::start(&[]);
    let p2p = address(&trio.nodes[0]);
    let p2p = p2p.rsplit_once("/tcp/").map(|(_, port)| format!("127.0.0.1:{port}")).expect("a TCP address");
    let log = trio.nodes[0].log();
    let http = log.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("it says where");
    let mut noise = vec![0_u8; 200_000];
    // Not random, so that a failure happens again.
    noise.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 167 + at / 251) as u8);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(200_000));
    for port in [p2p.as_str(), http] {
        for bytes in
            [&noise[..], b"GET / HTTP/1.0\r\n\r\n", b"\x13/multistream/1.0.0\n", b"\n\n\n\n", long.as_bytes(), b""]
        {
            let mut stream = TcpStream::connect(port).expect("it listens");
            stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a time");
            // It may hang up before it has read everything.
            let _ = stream.write_all(bytes);
            let _ = stream.read(&mut [0; 1024]);
        }
    }
    // Many at once that say nothing.
    let silent: Vec<_> = (0..100).filter_map(|_| TcpStream::connect(&*p2p).ok()).collect();
    for method in ["POST /v1/tasks", "DELETE /v1/tasks/last", "GET /v1/peers"] {
        let mut stream = TcpStream::connect(http).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a time");
        let request =
            format!("{method} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 401"), "without the token: {answer}");
    }
    let id = trio.nodes[0].submit(&["echo", "--payload", "5", "--exclude-devices", NAMES[0]]);
    assert_eq!(trio.nodes[0].result(&id, PATIENCE)["result"], 5);
    drop(silent);
    trio.complete();
    assert!(trio.nodes.iter_mut().all(Device::is_alive));
    assert!(!trio.nodes[0].log().contains("panicked"), "{}", trio.nodes[0].log());
}
