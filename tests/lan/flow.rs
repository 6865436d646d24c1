//! A flow goes on, in its order, without the device that took it, whichever step that leaves at; and although another device dies with
//! a step in hand and comes back.

use crate::clock::parse;
use crate::lan::{Lan, NAMES, PATIENCE, note};
use crate::wait::until;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

const HOSTS: usize = 4;
/// Steps one after the other.
const CHAIN: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A chain with something beside it, and an end that uses what both left.
fn flow() -> String {
    let step = json!({ "task_type": "sleep", "payload": { "duration": 0.5 } });
    let mut tasks: serde_json::Map<_, _> = CHAIN.iter().map(|name| ((*name).to_owned(), step.clone())).collect();
    let beside = json!({ "task_type": "python_eval", "after": "b", "payload": { "expression": "6 * 7" } });
    tasks.insert("beside".to_owned(), beside);
    let end = json!({ "slept": "{{tasks.e.result.slept_for}}", "beside": "{{tasks.beside.result.result}}" });
    tasks.insert("end".to_owned(), json!({ "task_type": "echo", "payload": end }));
    json!({ "name": "steps", "chains": [CHAIN], "tasks": tasks }).to_string()
}

fn get(lan: &Lan, host: usize, path: &str) -> Result<Value, String> {
    lan.api(host).get(path, PATIENCE).map_err(|error| error.to_string())?.ok()
}

/// The flow as a device shows it, with its tasks by name.
fn shown(lan: &Lan, host: usize, id: &str) -> Result<(Value, BTreeMap<String, Value>), String> {
    let flow = get(lan, host, &format!("/v1/flows/{id}"))?;
    let tasks = flow["tasks"].as_array().into_iter().flatten();
    let tasks = tasks.filter_map(|task| Some((task["name"].as_str()?.to_owned(), task.clone()))).collect();
    Ok((flow, tasks))
}

/// No attempt of any task, whatever became of it, began before what the task waits for had ended.
fn in_order(lan: &Lan, host: usize, tasks: &BTreeMap<String, Value>) {
    let at = |value: &Value| value.as_str().and_then(parse);
    for (name, task) in tasks {
        let id = task["task_id"].as_str().expect("an id");
        let detail = get(lan, host, &format!("/v1/tasks/{id}")).expect("it answers");
        let attempts = detail["attempts"].as_array().expect("a list");
        let began: Vec<_> = attempts.iter().filter_map(|attempt| at(&attempt["started_at"])).collect();
        assert!(!began.is_empty(), "{name}: {detail:#}");
        for dep in task["after"].as_array().expect("a list").iter().filter_map(Value::as_str) {
            let ended = at(&tasks[dep]["finished_at"]).expect("it ended");
            assert!(
                began.iter().all(|began| *began >= ended),
                "{name} began before {dep} ended at {ended}: {detail:#}"
            );
        }
    }
}

/// Hands a flow in at one device, kills that when so many steps are done, and with it another one for a while.
fn round(lan: &mut Lan, acceptor: usize, step: usize) {
    let answer = lan.api(acceptor).call("POST", "/v1/flows", &flow(), PATIENCE).expect("it answers");
    assert_eq!(answer.status, 202, "{}", answer.body);
    let id = answer.json()["batch_id"].as_str().expect("an id").to_owned();
    let asked = (acceptor + 1) % HOSTS;
    if step > 0 {
        until("so many steps are done", PATIENCE, || {
            let (flow, tasks) = shown(lan, asked, &id)?;
            let done = CHAIN.iter().filter(|name| tasks.get(**name).is_some_and(|task| task["status"] == "completed"));
            if done.count() >= step { Ok(()) } else { Err(format!("{flow:#}")) }
        });
    }
    lan.devices[acceptor].kill();
    let killed = Instant::now();
    // Whoever runs a step now, or else anybody: not the one that is asked.
    let others: Vec<_> = (0..HOSTS).filter(|host| ![acceptor, asked].contains(host)).collect();
    let (_, tasks) = until("the rest answers", PATIENCE, || shown(lan, asked, &id)).0;
    let runs =
        |host: &usize| tasks.values().any(|task| task["device"] == NAMES[*host] && task["status"] != "completed");
    let other = others.iter().copied().find(runs).unwrap_or(others[0]);
    lan.devices[other].kill();
    lan.start(&[other]);
    let (flow, tasks) = until("all is done", 2 * PATIENCE, || {
        let (flow, tasks) = shown(lan, asked, &id)?;
        if flow["completed"] == flow["total"] { Ok((flow, tasks)) } else { Err(format!("{flow:#}")) }
    })
    .0;
    note(&format!(
        "{} took a flow and was killed after {step} of {} steps, {} with it: all done {:?} later",
        NAMES[acceptor],
        CHAIN.len(),
        NAMES[other],
        killed.elapsed()
    ));
    assert_eq!((&flow["total"], &flow["failed"], &flow["name"]), (&json!(7), &json!(0), &json!("steps")), "{flow:#}");
    in_order(lan, asked, &tasks);
    let end = tasks["end"]["task_id"].as_str().expect("an id");
    for host in (0..HOSTS).filter(|host| *host != acceptor) {
        let result = get(lan, host, &format!("/v1/tasks/{end}/result")).expect("it answers");
        assert_eq!(result["result"], json!({ "slept": 0.5, "beside": 42 }), "{}: {result:#}", NAMES[host]);
    }
    lan.start(&[acceptor]);
    lan.all_see_all();
}

#[test]
fn a_flow_outlives_the_device_that_accepted_it_at_any_step() {
    let Some(mut lan) = Lan::cluster(HOSTS, &[]) else { return };
    for (acceptor, step) in [0, 1, 3, CHAIN.len()].into_iter().enumerate() {
        round(&mut lan, acceptor, step);
    }
}
