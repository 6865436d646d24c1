//! The device that took a batch dies in the middle of it, and does not come back.

use crate::lan::{Lan, PATIENCE, note};
use crate::wait::until;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Instant;

const TASKS: usize = 1_000;
/// So many must have ended before the device dies, and so many must not.
const MARGIN: usize = 100;

/// The results of these tasks, as a program gets them that asks this device for all at once.
fn results(lan: &Lan, host: usize, ids: &[String]) -> Vec<Value> {
    let body = json!({ "ids": ids }).to_string();
    let answer = lan.api(host).call("POST", "/v1/wait", &body, 2 * PATIENCE).expect("it answers");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn a_batch_of_1000_completes_though_its_acceptor_is_killed_in_the_middle() {
    let Some(mut lan) = Lan::cluster(4, &[]) else { return };
    let tasks: Vec<_> = (0..TASKS).map(|_| json!({ "task_type": "sleep", "payload": { "duration": 0.05 } })).collect();
    let body = Value::from(tasks).to_string();
    let began = Instant::now();
    let answer = lan.api(0).call("POST", "/v1/tasks?disks=2", &body, PATIENCE).expect("it answers");
    assert_eq!(answer.status, 202, "{}", answer.body);
    let accepted = answer.json();
    let accepted = accepted.as_array().expect("a list");
    let ids: Vec<_> = accepted.iter().map(|task| task["task_id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), TASKS);

    let (ended, _) = until("a part of them has ended", PATIENCE, || {
        let path = format!("/v1/tasks?status=completed&limit={TASKS}");
        let list = lan.api(1).get(&path, PATIENCE).expect("it answers").ok()?;
        let ended = list.as_array().expect("a list").len();
        if ended >= MARGIN { Ok(ended) } else { Err(format!("{ended} have ended")) }
    });
    lan.devices[0].kill();
    let killed = began.elapsed();
    assert!(ended <= TASKS - MARGIN, "{ended} had ended: too many to mean anything");

    for host in 1..4 {
        let results = results(&lan, host, &ids);
        let done: BTreeSet<_> = results.iter().filter(|result| result["status"] == "completed").map(id_of).collect();
        let open: Vec<_> = results.iter().filter(|result| result["status"] != "completed").take(3).collect();
        assert_eq!(done, ids.iter().map(String::as_str).collect(), "{}: {open:#?}", lan.devices[host].name);
        if host == 1 {
            let took = began.elapsed() - killed;
            note(&format!("acceptor killed after {killed:?} with {ended} of {TASKS} done: all done {took:?} later"));
        }
    }
}

fn id_of(result: &Value) -> &str {
    result["task_id"].as_str().expect("an id")
}
