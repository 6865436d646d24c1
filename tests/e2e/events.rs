//! Events of a cluster, from any device, in the order in which they happen; and lists that show themselves again.

use crate::device::Device;
use crate::trio::{NAMES, PATIENCE, Trio};
use crate::wait::until;
use serde_json::Value;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Stdio};

/// A verb that goes on, and what it has printed.
struct Following(Child, PathBuf);

impl Following {
    fn start(device: &Device, args: &[&str]) -> Self {
        let out = device.dir.with_extension(format!("{}.out", args[0]));
        let file = File::create(&out).expect("a file");
        let mut command = device.command(args);
        Self(command.stdin(Stdio::null()).stdout(file).spawn().expect("it starts"), out)
    }

    fn printed(&self) -> String {
        std::fs::read_to_string(&self.1).expect("a file")
    }

    fn events(&self) -> Vec<Value> {
        self.printed().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The kinds of events that were told of a task.
fn kinds(events: &[Value], id: &str) -> Vec<String> {
    let of_task = events.iter().filter(|event| event["task_id"] == id);
    of_task.filter_map(|event| event["event"].as_str().map(str::to_owned)).collect()
}

#[test]
fn every_device_tells_the_life_of_a_task_and_goes_on_after_a_restart() {
    let mut trio = Trio::start(&[]);
    let following: Vec<_> =
        trio.nodes.iter().map(|node| Following::start(node, &["events", "-f", "-o", "jsonl"])).collect();
    until("somebody listens everywhere", PATIENCE, || {
        let known = trio.nodes[0].submit(&["echo", "-p", "n=1"]);
        trio.nodes[0].result(&known, PATIENCE);
        let silent = following.iter().find(|one| kinds(&one.events(), &known).len() < 3);
        silent.map_or(Ok(()), |one| Err(one.printed()))
    });
    let id = trio.nodes[1].submit(&["sleep", "-p", "duration=1.5"]);
    let failing = trio.nodes[1].submit(&["sleep", "-p", "duration=-1"]);
    for (name, one) in NAMES.iter().zip(&following) {
        until(&format!("{name} has heard of all"), PATIENCE, || {
            let events = one.events();
            let (good, bad) = (kinds(&events, &id), kinds(&events, &failing));
            let done = good == ["on_submit", "on_schedule", "on_start", "on_complete"]
                && bad.first().is_some_and(|kind| kind == "on_submit")
                && bad.iter().rfind(|kind| *kind != "alert").is_some_and(|kind| kind == "on_error");
            if done { Ok(()) } else { Err(format!("{good:?} {bad:?}")) }
        });
    }
    // Only who decided that it has failed raises an alert.
    let alerts = |one: &Following| kinds(&one.events(), &failing).iter().filter(|kind| *kind == "alert").count();
    until("one alert is raised", PATIENCE, || match following.iter().map(alerts).sum() {
        1usize => Ok(()),
        raised => Err(format!("{raised} were")),
    });
    let shown = trio.nodes[2].json(&["show", &id]);
    let events = following[0].events();
    let end = events.iter().rfind(|event| event["task_id"] == id.as_str()).expect("an end");
    let completed = Value::from("completed");
    for (field, value) in [("trace_id", &shown["trace_id"]), ("device", &shown["device"]), ("status", &completed)] {
        assert_eq!(&end[field], value, "{field}: {end:#}");
    }
    assert!(end["run_seconds"].as_f64().is_some_and(|seconds| seconds >= 1.5), "{end:#}");
    let error = events.iter().rfind(|event| event["event"] == "on_error").expect("an error");
    assert_eq!(error["error"]["class"], "invalid_payload", "{error:#}");

    // The device whose events are followed is killed: the others tell so, and it says that something may be missing.
    trio.nodes[0].kill();
    until("it is given up", PATIENCE, || {
        let lost =
            following[1].events().iter().any(|event| event["event"] == "peer.lost" && event["device"] == NAMES[0]);
        if lost { Ok(()) } else { Err(following[1].printed()) }
    });
    trio.nodes[0].start();
    until("it is followed again", PATIENCE, || {
        let gap = following[0].events().iter().any(|event| event["event"] == "gap");
        if gap { Ok(()) } else { Err(following[0].printed()) }
    });
    let later = trio.nodes[2].submit(&["echo"]);
    until("it tells again", PATIENCE, || {
        let told = kinds(&following[0].events(), &later).contains(&"on_complete".to_owned());
        if told { Ok(()) } else { Err(following[0].printed()) }
    });
}

#[test]
fn a_list_that_is_watched_tells_of_changes_only() {
    let trio = Trio::start(&[]);
    let tasks = Following::start(&trio.nodes[2], &["ps", "--watch"]);
    let peers = Following::start(&trio.nodes[1], &["peers", "--watch", "-o", "jsonl"]);
    let id = trio.nodes[0].submit(&["sleep", "-p", "duration=2"]);
    let lines = || tasks.printed().lines().filter(|line| line.starts_with(&id)).map(str::to_owned).collect::<Vec<_>>();
    until("its end is told", PATIENCE, || {
        let lines = lines();
        if lines.last().is_some_and(|line| line.contains("completed")) { Ok(()) } else { Err(format!("{lines:?}")) }
    });
    let lines = lines();
    assert!(lines.len() <= 4, "{lines:?}");
    assert!(lines.windows(2).all(|pair| pair[0] != pair[1]), "{lines:?}");
    let known = peers.events();
    assert!(NAMES.iter().all(|name| known.iter().any(|peer| peer["name"] == *name)), "{known:#?}");
    assert!(!tasks.printed().contains('\x1b'), "no terminal");
}
