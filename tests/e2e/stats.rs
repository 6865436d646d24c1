//! The figures of a period are the same on every device, count each task once, and say who did not answer.

use crate::trio::{NAMES, PATIENCE, Trio};
use crate::wait::until;
use serde_json::Value;

fn totals(stats: &Value) -> [u64; 4] {
    ["total", "completed", "failed", "cancelled"].map(|field| stats["total"][field].as_u64().expect("a number"))
}

fn is_within(value: &Value, low: f64, high: f64) -> bool {
    value.as_f64().is_some_and(|value| (low..=high).contains(&value))
}

#[test]
fn each_task_is_counted_once_though_several_devices_keep_it() {
    let mut trio = Trio::start(&[]);
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(trio.nodes[n % 3].submit(&["sleep", "-p", "duration=0.2"]));
    }
    ids.push(trio.nodes[0].submit(&["sleep", "-p", "duration=-1"]));
    let waiting = trio.nodes[1].submit(&["echo", "--required-tags", "nowhere"]);
    assert_eq!(trio.nodes[1].say(&["cancel", &waiting]).code, 0);
    ids.push(waiting);
    for id in &ids {
        trio.nodes[0].result(id, PATIENCE);
    }
    // In memory first, on disk only after some seconds: it makes no difference.
    for resting in [false, true] {
        for (name, node) in NAMES.iter().zip(&trio.nodes) {
            if resting {
                let all_rest = || {
                    let text = node.say(&["metrics"]).out;
                    let rests = text.lines().any(|line| line == format!("rcnode_tasks_resting {}", ids.len()));
                    if rests { Ok(()) } else { Err(text) }
                };
                until("all rest", PATIENCE, all_rest);
            }
            until(&format!("{name} counts all"), PATIENCE, || {
                let stats = node.json(&["stats", "--period", "1h"]);
                let told = totals(&stats);
                assert!(told[0] <= 8, "{name} counts twice: {stats:#}");
                let complete = told == [8, 6, 1, 1] && stats["silent"] == serde_json::json!([]);
                if complete { Ok(()) } else { Err(format!("{stats:#}")) }
            });
        }
    }
    let stats = trio.nodes[2].json(&["stats"]);
    assert!(is_within(&stats["total"]["success_rate"], 0.857, 0.858), "6 of 7: {stats:#}");
    assert!(is_within(&stats["total"]["execution_seconds"]["p90"], 0.19, 1.0), "{stats:#}");
    let rows = stats["rows"].as_array().expect("rows");
    assert_eq!(rows.iter().filter_map(|row| row["completed"].as_u64()).sum::<u64>(), 6, "{stats:#}");
    let nobody = rows.iter().filter(|row| NAMES.iter().all(|name| row["device"] != *name));
    let nobody: Vec<_> = nobody.map(|row| (&row["device"], &row["total"], &row["cancelled"])).collect();
    assert_eq!(nobody, [(&"(none)".into(), &1.into(), &1.into())], "what was cancelled before it ran: {stats:#}");
    let types = trio.nodes[1].json(&["stats", "--by", "type"]);
    let of = |name: &str| types["rows"].as_array()?.iter().find(|row| row["task_type"] == name).cloned();
    let (sleep, echo) = (of("sleep").expect("a row"), of("echo").expect("a row"));
    assert_eq!((&sleep["total"], &echo["total"], &echo["cancelled"]), (&7.into(), &1.into(), &1.into()));
    assert_eq!(echo["execution_seconds"], Value::Null, "it never ran");
    let said = trio.nodes[0].say(&["stats", "-o", "wide"]);
    assert!(said.code == 0 && said.out.contains("USED") && said.err.is_empty(), "{said:?}");

    // The others keep everything that the lost one kept, and say that it is away.
    trio.nodes[1].kill();
    until("the rest count on", PATIENCE, || {
        let stats = trio.nodes[2].json(&["stats"]);
        let complete = totals(&stats) == [8, 6, 1, 1] && stats["silent"] == serde_json::json!([NAMES[1]]);
        if complete { Ok(()) } else { Err(format!("{stats:#}")) }
    });
    let said = trio.nodes[0].say(&["stats"]);
    assert!(said.err.contains(NAMES[1]), "{said:?}");
}
