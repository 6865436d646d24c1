//! Why a task is where it is, where one would go, and what is told when one has failed for good.

use crate::device::Device;
use crate::trio::{NAMES, PATIENCE, Trio, address, device};
use crate::wait::until;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use tempfile::TempDir;

fn alone(more: &[&str]) -> (Device, TempDir) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, NAMES[0], more);
    node.start();
    (node, dir)
}

#[test]
fn a_task_that_nobody_can_run_says_what_is_missing_holds_up_no_other_and_starts_when_it_can() {
    let (node, dir) = alone(&[]);
    let said = node.say(&["plan", "echo", "-p", "n=1", "--required-tags", "attested", "--min-memory-gb", "900000"]);
    assert_eq!(said.code, 7, "{said:?}");
    for word in ["would wait", "required_tags attested: no", "min_memory_gb 900000", "without --required-tags attested"]
    {
        assert!(said.out.contains(word), "{word}: {said:?}");
    }
    assert_eq!(node.json(&["ps"]).as_array().map(Vec::len), Some(0), "nothing was accepted");
    let planned = node.json(&["plan", "echo", "-p", "n=1"]);
    assert_eq!((&planned["chosen"], &planned["task"]["task_id"]), (&NAMES[0].into(), &Value::Null), "{planned:#}");
    assert_eq!(planned["rows"][0]["contention"]["total"], 0.0, "it asks for nothing in particular: {planned:#}");
    let planned = node.json(&["plan", "echo", "-p", "n=1", "--min-cpu-cores", "0.01"]);
    let tie = &planned["rows"][0]["contention"];
    assert!(tie["cpu"].as_f64() > Some(0.0) && tie["total"].as_f64() <= Some(0.4), "{planned:#}");

    let waiting = node.say(&["submit", "echo", "-p", "n=1", "--required-tags", "attested", "--priority", "urgent"]);
    assert_eq!(waiting.code, 7, "{waiting:?}");
    let waiting = waiting.out.trim().to_owned();
    let behind = node.submit(&["echo", "-p", "n=2", "--priority", "background"]);
    assert_eq!(node.result(&behind, PATIENCE)["status"], "completed");
    let why = node.json(&["explain", &waiting]);
    assert_eq!((&why["task"]["status"], &why["task"]["reason"]), (&"pending".into(), &"NoEligibleDevice".into()));
    assert_eq!(
        why["rows"][0]["would_run"]["flags"],
        serde_json::json!(["without --required-tags attested"]),
        "{why:#}"
    );

    let mut other = device(&dir, NAMES[1], &["--tag", "attested", "--peer", &address(&node)]);
    other.join(&node.ticket());
    other.start();
    let result = node.result(&waiting, PATIENCE);
    let it = &other.json(&["status"])["id"];
    assert_eq!((&result["status"], &result["device_id"]), (&"completed".into(), it), "{result:#}");
    let why = node.json(&["explain", &waiting]);
    assert_eq!((&why["placement"]["device"], &why["placement"]["outcome"]), (&NAMES[1].into(), &"completed".into()));
    assert!(why["placement"]["score"].as_f64() > Some(0.0), "{why:#}");
}

#[test]
fn every_device_with_the_same_view_says_the_same() {
    let trio = Trio::start(&[]);
    let done = trio.nodes[0].submit(&["echo", "-p", "n=1"]);
    trio.nodes[0].result(&done, PATIENCE);
    let waits = trio.nodes[1].say(&["submit", "echo", "-p", "n=1", "--required-tags", "moon"]).out.trim().to_owned();
    for id in [done.as_str(), waits.as_str()] {
        until("all three have the same view", PATIENCE, || {
            let said: Vec<_> = trio.nodes.iter().map(|node| node.say(&["explain", id, "-o", "json"]).out).collect();
            let hash = |out: &String| {
                let view: Value = serde_json::from_str(out).map_err(|error| format!("{error}: {out}"))?;
                Ok::<_, String>(view["view_hash"].clone())
            };
            let hashes: Vec<_> = said.iter().map(hash).collect::<Result<_, _>>()?;
            for (one, other) in [(0, 1), (0, 2), (1, 2)] {
                if hashes[one] == hashes[other] {
                    assert_eq!(said[one], said[other], "the same view, and other words");
                }
            }
            let same = hashes.iter().all(|hash| *hash == hashes[0]);
            if same { Ok(()) } else { Err(format!("{hashes:?}")) }
        });
    }
}

#[test]
fn a_pause_says_when_it_ends_and_a_device_more_or_less_can_be_tried_out() {
    let (node, _dir) = alone(&["--max-concurrent-tasks", "1"]);
    for _ in 0..3 {
        let id = node.submit(&["sleep", "-p", "duration=0.2"]);
        node.result(&id, PATIENCE);
    }
    let again = node.json(&["sched", "simulate", "--replay", "1h"]);
    assert_eq!(again["as_it_is"]["tasks"].as_array().map(Vec::len), Some(3), "{again:#}");
    assert!(again["recorded_makespan"].as_f64() > Some(0.5), "{again:#}");
    assert_eq!(node.say(&["policy", "pause", "2h"]).code, 0);
    let id = until("it waits", PATIENCE, || {
        let id = node.say(&["submit", "sleep", "-p", "duration=0.2"]).out.trim().to_owned();
        let why = node.json(&["explain", &id]);
        let row = &why["rows"][0];
        if row["would_run"]["at"].is_string() { Ok(id) } else { Err(format!("{why:#}")) }
    })
    .0;
    let said = node.say(&["explain", &id]);
    assert!(said.out.contains("It would run\n  on attic  at "), "{said:?}");
    let told = node.json(&["sched", "simulate", "--add", "like=attic,max_concurrent_tasks=4"]);
    let (now, then) = (&told["as_it_is"], &told["changed"]);
    assert!(now["makespan"].as_f64() > Some(7_000.0), "when the pause is over: {told:#}");
    assert!(then["makespan"].as_f64() < Some(5.0), "at once on the new one: {told:#}");
    assert_eq!(then["tasks"][0]["device"], "attic+", "{told:#}");
    assert_eq!(then["tasks"][0]["run_time_from"], "3 runs there", "{told:#}");
    let without = node.say(&["sched", "simulate", "--without", "attic"]);
    assert!(without.code == 2 && without.err.contains("no device is left"), "{without:?}");
}

/// The system's sensors with a route out, and nothing else.
fn with_a_route(dir: &TempDir, flags: &[&str]) -> Device {
    let sensors = dir.path().join("sensors");
    fs::create_dir_all(sensors.join("proc/net")).expect("a directory");
    let route = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                 eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
    fs::write(sensors.join("proc/net/route"), route).expect("a file");
    let script = format!("case \"$2\" in run) export RC_NODE_SENSORS='{}';; esac; exec \"$@\"", sensors.display());
    let plain = device(dir, NAMES[0], flags);
    let mut node = Device::new(dir.path(), NAMES[0], &["sh", "-c", &script, "sh"]);
    node.flags.clone_from(&plain.flags);
    node.start();
    node
}

#[test]
fn who_needs_the_internet_gets_it_where_it_was_found_and_nobody_is_dialled_for_nothing() {
    let outside = TcpListener::bind("127.0.0.1:0").expect("a port");
    outside.set_nonblocking(true).expect("a socket");
    let target = outside.local_addr().expect("an address").to_string();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let node = with_a_route(&dir, &["--internet-probe", &target]);
    let first = node.submit(&["sleep", "-p", "duration=0.1"]);
    node.result(&first, PATIENCE);
    assert!(outside.accept().is_err(), "nobody has asked yet");
    let said = node.say(&["submit", "echo", "-p", "n=1", "--requires-internet"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("requires_internet: unknown"), "{said:?}");
    let result = node.result(said.out.trim(), PATIENCE);
    assert_eq!(result["status"], "completed", "{result:#}");
    assert!(outside.accept().is_ok() && outside.accept().is_err(), "it was dialled, once");

    let dir = tempfile::tempdir().expect("a temporary directory");
    let off = with_a_route(&dir, &["--internet-probe", "off"]);
    let id = off.say(&["submit", "echo", "-p", "n=1", "--requires-internet"]).out.trim().to_owned();
    let why = off.json(&["explain", &id]);
    assert_eq!(why["rows"][0]["unmet"], serde_json::json!(["requires_internet: unknown"]), "{why:#}");
}

#[test]
fn a_task_that_fails_for_good_is_told_to_whoever_the_owner_says() {
    let hook = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", hook.local_addr().expect("an address"));
    let (node, _dir) = alone(&["--alert-webhook", &url]);
    let id = node.submit(&["sleep", "-p", "duration=-1"]);
    assert_eq!(node.result(&id, PATIENCE)["status"], "failed");
    // The first time nobody takes it.
    drop(hook.accept().expect("a connection"));
    let request = taken(&hook);
    assert!(request.starts_with("POST /hook HTTP/1.1") && request.contains(&id), "{request}");
    let wrong = node.say(&["run", "--alert-webhook", "ftp://x", "--data-dir", "/nonexistent"]);
    assert!(wrong.code == 2 && wrong.err.contains("alert-webhook"), "{wrong:?}");
}

/// Takes a request and answers it; what it said.
fn taken(hook: &TcpListener) -> String {
    let (mut connection, _) = hook.accept().expect("a connection");
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&request).contains("invalid_payload") {
        let read = connection.read(&mut buffer).expect("bytes");
        assert!(read > 0, "{}", String::from_utf8_lossy(&request));
        request.extend_from_slice(&buffer[..read]);
    }
    connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("an answer");
    String::from_utf8_lossy(&request).into_owned()
}

#[test]
fn an_alert_that_nobody_took_outlives_its_device_and_one_that_was_taken_does_not_come_again() {
    let hook = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = hook.local_addr().expect("an address");
    drop(hook);
    let url = format!("http://{address}/hook");
    let (mut node, _dir) = alone(&["--alert-webhook", &url]);
    let id = node.submit(&["sleep", "-p", "duration=-1"]);
    assert_eq!(node.result(&id, PATIENCE)["status"], "failed");
    node.kill();
    let hook = TcpListener::bind(address).expect("the port is free again");
    node.start();
    let request = taken(&hook);
    assert!(request.contains(&id) && request.contains("\"attempts\":1"), "{request}");
    // The next to fail is the next that comes: it is after the first has been taken off the disk.
    let second = node.submit(&["sleep", "-p", "duration=-2"]);
    assert!(taken(&hook).contains(&second));
    let third = node.submit(&["sleep", "-p", "duration=-3"]);
    assert!(taken(&hook).contains(&third));
    node.kill();
    node.start();
    let fourth = node.submit(&["sleep", "-p", "duration=-4"]);
    let mut told = taken(&hook);
    // Of the last one before the end its device may not have written down that it was taken.
    if told.contains("not -3") {
        told = taken(&hook);
    }
    assert!(told.contains(&fourth), "{told}");
}
