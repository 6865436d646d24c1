//! Flows: what one task left goes into the next, what fails stops what waits for it, and no device is needed for the rest.

use crate::trio::{NAMES, PATIENCE, Trio};
use crate::wait::until;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// A file among the examples.
fn example(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/flows").join(name);
    path.to_str().expect("UTF-8").to_owned()
}

/// The tasks of a flow by name.
fn tasks(flow: &Value) -> BTreeMap<String, Value> {
    let list = flow["tasks"].as_array().unwrap_or_else(|| panic!("{flow:#}"));
    list.iter().map(|task| (task["name"].as_str().unwrap_or_default().to_owned(), task.clone())).collect()
}

/// What a task of a flow returned.
fn result(trio: &Trio, at: usize, flow: &Value, name: &str) -> Value {
    let id = tasks(flow)[name]["task_id"].as_str().expect("an id").to_owned();
    trio.nodes[at].result(&id, PATIENCE)["result"].clone()
}

#[test]
fn the_examples_do_what_they_say() {
    let trio = Trio::start(&["--allow", "command"]);
    let run = |args: &[&str]| {
        let said = trio.nodes[0].say(&[&["flow", "run"], args, &["--wait", "-o", "json"]].concat());
        assert_eq!(said.code, 0, "{said:?}");
        said.json()
    };
    let words = run(&[&example("words.toml"), "--set", "text=to be or not to be", "--set", "lengths=[2,3]"]);
    assert_eq!((&words["kind"], &words["progress"]), (&json!("flow"), &json!(1.0)));
    let expected = json!({"words": ["to", "be", "or", "not", "to", "be"], "first": 5, "text": "5 of two letters"});
    assert_eq!(result(&trio, 1, &words, "report"), expected);
    assert_eq!(result(&trio, 1, &words, "count-1")["result"], 1);
    let pipeline = run(&[&example("pipeline.yaml"), "--set", "lines=4"]);
    assert_eq!(result(&trio, 2, &pipeline, "report"), json!({"sorted": "1\n2\n3\n4\n"}));
    let diamond = run(&[&example("diamond.json"), "--set", "who={{x}}"]);
    assert_eq!(result(&trio, 2, &diamond, "last"), json!([7, {"right": "{{x}}"}]));
    let listed = trio.nodes[2].json(&["flow", "ls"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(3), "{listed:#}");
}

#[test]
fn a_template_is_kept_by_the_cluster_and_runs_on_any_device() {
    let mut trio = Trio::start(&[]);
    let said = trio.nodes[0].say(&["template", "add", "pair", &example("diamond.json")]);
    assert_eq!(said.code, 0, "{said:?}");
    trio.nodes[0].kill();
    let listed = trio.nodes[2].json(&["template", "ls"]);
    assert_eq!((&listed[0]["name"], &listed[0]["tasks"]), (&json!("pair"), &json!(4)), "{listed:#}");
    let said = trio.nodes[2].say(&["template", "run", "pair", "--set", "n=9", "--wait", "-o", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(result(&trio, 1, &said.json(), "last"), json!([9, {"right": "you"}]));
    let said = trio.nodes[2].say(&["template", "run", "pair", "--set", "m=9"]);
    assert!(said.code == 2 && said.err.contains("no variable `m`; it has n, who"), "{said:?}");
    assert_eq!(trio.nodes[1].say(&["template", "rm", "pair"]).code, 0);
    assert_eq!(trio.nodes[2].say(&["template", "run", "pair"]).code, 3);
}

#[test]
fn what_fails_stops_what_waits_for_it_and_nothing_else() {
    let trio = Trio::start(&[]);
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("flow.yaml");
    let flow = "defaults: {task_type: python_eval}\ntasks:\n  good: {payload: {expression: '[1]'}}\n  bad: {payload: {expression: '1/0'}}\n  \
                missing: {payload: {expression: '{{tasks.good.result.result[3]}}'}}\n  next: {after: bad, payload: {expression: '1'}}\n  \
                last: {after: [next, good], payload: {expression: '1'}}\n  other: {after: good, payload: {expression: '2'}}\n";
    fs::write(&file, flow).expect("room");
    let said = trio.nodes[0].say(&["flow", "run", file.to_str().expect("UTF-8"), "--wait", "-o", "json"]);
    assert_eq!(said.code, 9, "{said:?}");
    let flow = said.json();
    let stands = |flow: &Value| -> BTreeMap<String, String> {
        let word = |task: &Value| match task["error"]["class"].as_str() {
            Some(class) => class.to_owned(),
            None => task["status"].as_str().unwrap_or_default().to_owned(),
        };
        tasks(flow).iter().map(|(name, task)| (name.clone(), word(task))).collect()
    };
    let expected = [
        ("bad", "task_error"),
        ("good", "completed"),
        ("last", "dependency_failed"),
        ("missing", "invalid_payload"),
        ("next", "dependency_failed"),
        ("other", "completed"),
    ];
    let expected: BTreeMap<_, _> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(stands(&flow), expected, "{flow:#}");
    let why = tasks(&flow)["missing"]["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(why, "payload: `{{tasks.good.result.result[3]}}`: `result` has 1 places, and no `[3]`");
    // Begun again, they come to the same end, and what waits for them waits again.
    let id = flow["batch_id"].as_str().expect("an id");
    let again = trio.nodes[2].say(&["batch", "retry-failed", id, "--wait", "-o", "json"]);
    assert_eq!(again.code, 9, "{again:?}");
    let shown = trio.nodes[1].json(&["flow", "show", id]);
    assert_eq!(stands(&shown), expected, "{shown:#}");
    let bad = tasks(&shown)["bad"]["task_id"].as_str().expect("an id").to_owned();
    let history = trio.nodes[1].json(&["history", &bad]);
    let reopened = history.as_array().expect("a list").iter().filter(|row| row["fact"] == "reopened").count();
    assert_eq!(reopened, 1, "{history:#}");
}

#[test]
fn a_flow_outlives_the_device_that_accepted_it() {
    let mut trio = Trio::start(&[]);
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("flow.toml");
    let mut flow = String::from("chains = [\"a\", \"b\", \"c\", \"d\", \"e\"]\n");
    for name in ["a", "b", "c", "d", "e"] {
        let _ = writeln!(flow, "[tasks.{name}]\ntask_type = \"sleep\"\npayload = {{ duration = 0.4 }}");
    }
    flow.push_str("[tasks.end]\ntask_type = \"echo\"\npayload = { slept = \"{{tasks.e.result.slept_for}}\" }\n");
    fs::write(&file, flow).expect("room");
    let said = trio.nodes[0].say(&["flow", "run", file.to_str().expect("UTF-8"), "-o", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let id = said.json()["batch_id"].as_str().expect("an id").to_owned();
    until("the second runs", PATIENCE, || {
        let flow = trio.nodes[1].json(&["flow", "show", &id]);
        let completed = flow["completed"].as_u64().unwrap_or(0);
        if completed >= 1 { Ok(()) } else { Err(format!("{flow:#}")) }
    });
    trio.nodes[0].kill();
    let said = trio.nodes[2].say(&["flow", "show", &id, "--wait=60s", "-o", "json"]);
    assert_eq!(said.code, 0, "{} is dead: {said:?}", NAMES[0]);
    assert_eq!(result(&trio, 1, &said.json(), "end"), json!({"slept": 0.4}));
    in_order(&said.json());
}

#[test]
fn a_result_that_is_too_long_to_travel_inside_goes_on_all_the_same() {
    let trio = Trio::start(&[]);
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("flow.yaml");
    let flow = "tasks:\n  long: {task_type: python_eval, payload: {expression: \"'x' * 200000\"}}\n  \
                next: {task_type: echo, payload: ['{{tasks.long.result.result}}', '{{tasks.long.result.expression}}!']}\n";
    fs::write(&file, flow).expect("room");
    let said = trio.nodes[0].say(&["flow", "run", file.to_str().expect("UTF-8"), "--wait", "-o", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    for at in 0..3 {
        let given = result(&trio, at, &said.json(), "next");
        assert_eq!((given[0].as_str().map(str::len), &given[1]), (Some(200_000), &json!("'x' * 200000!")));
    }
}

/// No task began before all that it waits for had ended.
fn in_order(flow: &Value) {
    let tasks = tasks(flow);
    for (name, task) in &tasks {
        let began = task["started_at"].as_str().unwrap_or_else(|| panic!("{name}: {task:#}"));
        for dep in task["after"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let ended = tasks[dep]["finished_at"].as_str().expect("it ended");
            assert!(ended <= began, "{name} began at {began}, {dep} ended at {ended}");
        }
    }
}

#[test]
fn a_thousand_tasks_that_wait_for_each_other_at_random_run_in_order() {
    const TASKS: u64 = 1_000;
    let trio = Trio::start(&[]);
    let mut seed = 42u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut tasks = serde_json::Map::new();
    for n in 0..TASKS {
        let after: std::collections::BTreeSet<u64> =
            (0..if n == 0 { 0 } else { random(4) }).map(|_| random(n)).collect();
        let first = after.first().map(|dep| format!("{{{{tasks.t{dep}.result.n}}}} then {n}"));
        let after: Vec<_> = after.iter().map(|dep| format!("t{dep}")).collect();
        tasks.insert(format!("t{n}"), json!({"task_type": "echo", "after": after, "payload": {"n": n, "text": first}}));
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("flow.json");
    fs::write(&file, json!({ "tasks": tasks }).to_string()).expect("room");
    let said = trio.nodes[0].say(&["flow", "run", file.to_str().expect("UTF-8"), "--wait=80s", "-o", "json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let flow = said.json();
    assert_eq!((&flow["completed"], &flow["total"]), (&json!(TASKS), &json!(TASKS)));
    in_order(&flow);
    let (name, task) = self::tasks(&flow).into_iter().find(|(_, task)| task["after"] != json!([])).expect("one waits");
    let given = result(&trio, 2, &flow, &name)["text"].as_str().expect("a text").to_owned();
    let first = task["after"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let first = first.filter_map(|dep| dep[1..].parse::<u64>().ok()).min().expect("one");
    assert_eq!(given, format!("{first} then {}", &name[1..]));
}

#[test]
fn a_flow_that_makes_no_sense_is_refused_with_its_place_and_nothing_is_accepted() {
    let trio = Trio::start(&[]);
    let dir = tempfile::tempdir().expect("a directory");
    let table = [
        (
            "c.yaml",
            "tasks:\n  a: {task_type: echo, after: b}\n  b: {task_type: echo, after: a}\n",
            "c.yaml:2:3: these wait for each other: a after b after a",
        ),
        ("u.toml", "[tasks.a]\ntask_type = \"echo\"\nafter = [\"c\"]\n", "u.toml:3:10: `after` names `c`"),
        (
            "v.toml",
            "[tasks.a]\ntask_type = \"echo\"\npayload = \"{{x}}\"\n",
            "v.toml:3:11: the variable `x` has no value",
        ),
        (
            "f.json",
            "{\"tasks\": {\"a\": {\n\"task_type\": \"echo\", \"prio\": 1}}}",
            "f.json:2:30: unknown field `prio`",
        ),
        (
            "r.toml",
            "[tasks.a]\ntask_type = \"echo\"\nrequirements = { min_cpu_cores = -1 }\n",
            "r.toml:3:18: task `a`: `requirements.min_cpu_cores`",
        ),
    ];
    for (name, text, expected) in table {
        let file = dir.path().join(name);
        fs::write(&file, text).expect("room");
        let path = file.to_str().expect("UTF-8");
        for verb in ["validate", "graph", "run"] {
            let said = trio.nodes[0].say(&["flow", verb, path]);
            assert!(said.code == 2 && said.err.contains(expected), "{verb}: {said:?}");
        }
    }
    assert_eq!(trio.nodes[0].json(&["ps"]), json!([]));
}

#[test]
fn one_task_comes_after_another_from_the_command_line() {
    let trio = Trio::start(&[]);
    let first = trio.nodes[0].submit(&["sleep", "-p", "duration=600"]);
    let next = trio.nodes[1].submit(&["echo", "-p", "n=1", "--after", &first]);
    let shown = trio.nodes[2].show(&next).expect("it is there");
    assert_eq!((&shown["after"], &shown["reason"]), (&json!([first]), &json!("WaitingDependency")), "{shown:#}");
    assert_eq!(trio.nodes[2].say(&["cancel", &first]).code, 0);
    let result = trio.nodes[2].result(&next, PATIENCE);
    assert_eq!(result["error"]["class"], "dependency_failed", "{result:#}");
    let said = trio.nodes[2].say(&["retry", &first]);
    assert_eq!(said.code, 0, "{said:?}");
    let none = trio.nodes[0].say(&["submit", "echo", "--after", "nosuch"]);
    assert_eq!(none.code, 3, "{none:?}");
}
