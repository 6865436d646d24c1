//! Batches: many tasks as one, on every device; what failed, and that alone, begins again.

use crate::device::finish;
use crate::trio::{PATIENCE, Trio};
use crate::wait::until;
use serde_json::json;
use std::fmt::Write as _;

#[test]
fn ten_thousand_tasks_are_one_request_and_what_failed_is_listed_and_begins_again() {
    const TASKS: usize = 10_000;
    let mut trio = Trio::start(&[]);
    let mut lines = String::new();
    for n in 0..TASKS {
        let task = if n % 1_000 == 7 {
            json!({"task_type": "python_eval", "name": format!("bad-{n}"), "payload": {"expression": "1/0"}})
        } else {
            json!({"task_type": "echo", "payload": n})
        };
        let _ = writeln!(lines, "{task}");
    }
    let submit = trio.nodes[0].command(&["batch", "submit", "-", "--name", "many", "--wait=80s", "-o", "json"]);
    let said = finish(submit, lines.as_bytes());
    assert_eq!(said.code, 9, "{said:?}");
    let batch = said.json();
    let counts = ["total", "completed", "failed"].map(|field| batch[field].as_u64());
    assert_eq!(counts, [10_000, 9_990, 10].map(Some), "{batch:#}");
    let id = batch["batch_id"].as_str().expect("an id").to_owned();
    trio.nodes[0].kill();
    for node in &trio.nodes[1..] {
        let shown = node.json(&["batch", "show", &id]);
        assert_eq!((&shown["failed"], &shown["name"]), (&json!(10), &json!("many")), "{shown:#}");
        let failed: Vec<_> =
            shown["tasks"].as_array().expect("a list").iter().map(|task| task["index"].as_u64()).collect();
        assert_eq!(failed, (0..10).map(|n| Some(n * 1_000 + 7)).collect::<Vec<_>>(), "{shown:#}");
        assert_eq!(
            (&shown["tasks"][0]["name"], &shown["tasks"][0]["error"]["class"]),
            (&json!("bad-7"), &json!("task_error"))
        );
    }
    let again = trio.nodes[1].say(&["batch", "retry-failed", &id, "-o", "json"]);
    assert_eq!((again.code, again.json()["tasks"].as_u64()), (0, Some(10)), "{again:?}");
    let said = trio.nodes[2].say(&["batch", "show", &id, "--wait=60s", "-o", "json"]);
    assert_eq!(said.code, 9, "{said:?}");
    let bad = said.json()["tasks"][0]["task_id"].as_str().expect("an id").to_owned();
    let shown = trio.nodes[2].json(&["show", &bad]);
    // A device that is too busy may have handed one back before it began.
    let ran = shown["attempts"].as_array().into_iter().flatten().filter(|attempt| attempt["outcome"] == "task_error");
    assert_eq!(ran.count(), 2, "those that failed ran again, once: {shown:#}");
}

#[test]
fn a_batch_is_cancelled_as_one_and_by_anybody() {
    let trio = Trio::start(&[]);
    let tasks = json!({"task_type": "sleep", "payload": {"duration": 600}}).to_string().repeat(300);
    let said = finish(trio.nodes[0].command(&["batch", "submit", "-", "-o", "id"]), tasks.as_bytes());
    assert_eq!(said.code, 0, "{said:?}");
    let id = said.out.trim();
    until("some run", PATIENCE, || {
        let shown = trio.nodes[1].json(&["batch", "show", id, "--tasks", "open", "--limit", "3"]);
        assert_eq!(shown["total"], 300);
        let running = shown["by_status"]["running"].as_u64().unwrap_or(0);
        if running > 0 && shown["more"] == true { Ok(()) } else { Err(format!("{shown:#}")) }
    });
    let done = trio.nodes[2].json(&["batch", "cancel", id]);
    assert_eq!((&done["tasks"], &done["refused"]), (&json!(300), &json!(0)), "{done:#}");
    let said = trio.nodes[1].say(&["batch", "show", id, "--wait=60s", "-o", "json"]);
    assert_eq!((said.code, &said.json()["by_status"]), (1, &json!({"cancelled": 300})), "{said:?}");
}

#[test]
fn lines_and_numbers_become_commands() {
    let trio = Trio::start(&["--allow", "command"]);
    let array = ["batch", "submit", "--array", "1-9:4", "--wait=60s", "-o", "json", "--", "test", "{}", "-ne", "5"];
    let said = trio.nodes[0].say(&array);
    let batch = said.json();
    assert_eq!((said.code, &batch["completed"], &batch["tasks"][0]["index"]), (9, &json!(2), &json!(1)), "{said:?}");
    let lines = trio.nodes[0].command(&["batch", "submit", "--each-line", "--wait=60s", "-o", "json", "--", "echo"]);
    let said = finish(lines, b"one\n\ntwo words\n");
    assert_eq!((said.code, &said.json()["total"]), (0, &json!(2)), "{said:?}");
    let ids = trio.nodes[0].say(&["batch", "show", "last", "--tasks", "all", "-o", "id"]).out;
    let last = ids.lines().last().expect("two ids").to_owned();
    assert_eq!(trio.nodes[2].result(&last, PATIENCE)["result"]["stdout"], "two words\n");
}

#[test]
fn who_hands_in_what_no_device_may_run_is_told_so_at_once() {
    let trio = Trio::start(&[]);
    let said = trio.nodes[0].say(&["batch", "submit", "--array", "1-3", "--", "true"]);
    let why = "no device fits now: nearest is";
    assert!(said.code == 0 && said.err.contains(why) && said.err.contains("command is not allowed"), "{said:?}");
}

#[test]
fn a_batch_with_one_bad_task_is_refused_as_a_whole_with_its_line() {
    let trio = Trio::start(&[]);
    let text = "{\"task_type\":\"echo\"}\n{\"task_type\":\"echo\",\"name\":\"x\"}\n{\"task_type\":\"echo\",\"after\":[\"y\"]}\n";
    let said = finish(trio.nodes[0].command(&["batch", "submit", "-"]), text.as_bytes());
    assert!(
        said.code == 2 && said.err.contains("standard input:3: task 2: `after[0]`: \"y\" is no task's id"),
        "{said:?}"
    );
    let said =
        finish(trio.nodes[0].command(&["batch", "submit", "-"]), b"{\"task_type\":\"echo\"}\n{\"task_type\":3}\n");
    assert!(said.code == 2 && said.err.contains("standard input:2: task 1: `task_type`"), "{said:?}");
    let said = trio.nodes[0].say(&["batch", "submit", "--array", "0-10000", "--", "true"]);
    assert!(said.code == 2 && said.err.contains("10001 tasks"), "{said:?}");
    assert_eq!(trio.nodes[0].json(&["ps"]), json!([]));
    assert_eq!(trio.nodes[0].say(&["batch", "show", "last"]).code, 3);
}

#[test]
fn a_task_that_failed_begins_again_under_its_id() {
    let trio = Trio::start(&[]);
    let id = trio.nodes[0].submit(&["python_eval", "-p", "expression=1/0"]);
    assert_eq!(trio.nodes[0].result(&id, PATIENCE)["status"], "failed");
    let said = trio.nodes[2].say(&["retry", &id, "-o", "json"]);
    assert_eq!((said.code, &said.json()["task_id"]), (0, &json!(id)), "{said:?}");
    until("it ran twice", PATIENCE, || {
        let shown = trio.nodes[1].show(&id)?;
        let twice = shown["status"] == "failed" && shown["attempts"].as_array().map(Vec::len) == Some(2);
        if twice { Ok(()) } else { Err(format!("{shown:#}")) }
    });
    let id = trio.nodes[0].submit(&["echo", "-p", "n=1"]);
    trio.nodes[0].result(&id, PATIENCE);
    let said = trio.nodes[1].say(&["retry", &id]);
    assert!(said.code == 1 && said.err.contains("it is completed"), "{said:?}");
}
