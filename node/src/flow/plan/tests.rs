use super::*;
use crate::flow::graph::{Picture, draw};
use crate::flow::tree::Format;
use serde_json::json;

fn plan_with(text: &str, set: &[(&str, &str)]) -> Result<Plan, Refused> {
    let root = Node::read(Format::of("-", text), text)?;
    let pairs: Vec<_> = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Plan::new(&Definition::new(&root)?, &set_of(&pairs))
}

fn plan(text: &str) -> Plan {
    plan_with(text, &[]).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Each task as `name < after`, a star at those whose results it uses.
fn edges(plan: &Plan) -> Vec<String> {
    let name = |at: &usize| plan.tasks[*at].name.as_str();
    plan.tasks
        .iter()
        .map(|task| {
            let star = |at: &usize| if task.uses.contains(at) { "*" } else { "" };
            let after: Vec<_> = task.after.iter().map(|at| format!("{}{}", name(at), star(at))).collect();
            format!("{} < {}", task.name, after.join(" "))
        })
        .collect()
}

const SOME: &str = r#"
name = "some"
[variables]
n = 3
who = "you"
list = [10, "x"]
[defaults]
task_type = "echo"
priority = "low"
[tasks.join]
after = ["shard", "left"]
payload = { text = "{{who}}: {{tasks.left.result.n}} of {{n}}", all = "{{tasks.left.result}}", braces = "{{{{x}}" }
[tasks.left]
payload = { n = "{{n}}", braces = "{{{{x}}" }
priority = "high"
[tasks.shard]
each = "{{list}}"
payload = ["{{item}}", "{{index}}", "n{{index}}={{item}}"]
"#;

#[test]
fn variables_groups_and_results() {
    let plan = plan(SOME);
    assert_eq!(edges(&plan), ["left < ", "shard-0 < ", "shard-1 < ", "join < left* shard-0 shard-1"]);
    let payloads: Vec<_> = plan.tasks.iter().map(|task| task.request()["payload"].clone()).collect();
    assert_eq!(payloads[0], json!({"n": 3, "braces": "{{x}}"}), "nobody reads it again");
    assert_eq!(payloads[1], json!([10, 0, "n0=10"]));
    assert_eq!(payloads[2], json!(["x", 1, "n1=x"]));
    let text = "you: {{tasks.left.result.n}} of 3";
    assert_eq!(payloads[3], json!({"text": text, "all": "{{tasks.left.result}}", "braces": "{{{{x}}"}));
    assert_eq!(plan.tasks[0].request()["priority"], "high");
    assert_eq!(
        (plan.tasks[3].request()["priority"].clone(), plan.tasks[3].request()["name"].clone()),
        (json!("low"), json!("join"))
    );
}

#[test]
fn what_is_set_goes_over_what_the_file_says() {
    let plan = plan_with(SOME, &[("n", "4"), ("who", "{{tasks.left.result}}"), ("list", "[1,2,3]")]).unwrap();
    assert_eq!(plan.tasks.len(), 5);
    assert_eq!(plan.tasks[0].request()["payload"]["n"], 4);
    let text = "{{{{tasks.left.result}}: {{tasks.left.result.n}} of 4";
    assert_eq!(plan.tasks[4].request()["payload"]["text"], text, "what is in a variable is no hole");
}

#[test]
fn chains_and_groups_order_tasks() {
    let yaml =
        "tasks:\n  d: {task_type: echo}\n  a: {task_type: echo}\n  b: {task_type: echo}\n  c: {task_type: echo}\n";
    let more = "groups:\n  middle: [b, c]\nchains:\n  - [a, middle, d]\n";
    assert_eq!(edges(&plan(&format!("{yaml}{more}"))), ["a < ", "b < a", "c < a", "d < b c"]);
    assert_eq!(edges(&plan(&format!("{yaml}chains: [c, a]\n"))), ["d < ", "b < ", "c < ", "a < c"]);
    let id = "01arz3ndektsv4rrffq69g5fav";
    let json = format!(r#"{{"tasks": [{{"name": "a", "task_type": "echo", "after": "{id}"}}]}}"#);
    assert_eq!(plan(&json).tasks[0].ids, [id.parse().unwrap()]);
}

/// A file, what is set, and the refusal.
type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str);

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    let table: [Row; 26] = [
        (
            "variables: {x: , y: 1}\ntasks:\n  a: {task_type: echo, payload: \"{{x}}{{y}}\"}\n",
            &[],
            "3:33: the variable `x` has no value; give it one with --set x=VALUE",
        ),
        (
            "tasks:\n  a: {task_type: echo, after: b}\n  b: {task_type: echo, after: [c]}\n  c: {task_type: echo, after: [a]}\n",
            &[],
            "2:3: these wait for each other: a after b after c after a",
        ),
        ("tasks:\n  a: {task_type: echo, after: a}\n", &[], "2:3: these wait for each other: a after a"),
        (
            "[tasks.a]\ntask_type = \"echo\"\nafter = [\"b\"]\n",
            &[],
            "3:10: `after` names `b`, and the flow has no task that is called so",
        ),
        (
            "[tasks.a]\ntask_type = \"echo\"\npayload = \"{{tasks.b.result}}\"\n",
            &[],
            "3:11: a hole names `b`, and the flow has no task that is called so",
        ),
        (
            "[tasks.a]\ntask_type = \"echo\"\npayload = \"{{x}}\"\n",
            &[],
            "3:11: the variable `x` has no value; give it one with --set x=VALUE",
        ),
        (
            "[tasks.a]\ntask_type = \"echo\"\npayload = \"{{x}}\"\n",
            &[("x", "1"), ("y", "2")],
            "1:1: the flow has no variable `y`; it has x",
        ),
        ("[tasks.a]\ntask_type = \"echo\"\n", &[("y", "2")], "1:1: the flow has no variable `y`; it has none"),
        (
            "[tasks.a]\ntask_type = \"echo\"\npayload = [\n  \"{{x\",\n]\n",
            &[],
            "4:3: `{{x` has no end `}}` (for two braces as they are, write `{{{{`)",
        ),
        (
            "[tasks.a]\ntask_type = \"echo\"\npayloat = 1\n",
            &[],
            "3:1: unknown field `payloat`; a task has task_type, payload, priority, requirements, retry, sandbox, required_permissions, blobs, labels, metadata",
        ),
        (
            "[task.a]\ntask_type = \"echo\"\n",
            &[],
            "1:2: unknown field `task`; a flow has name, description, variables, defaults, tasks, groups, chains",
        ),
        ("[tasks.a]\npayload = 1\n", &[], "1:8: task `a` has no `task_type`"),
        ("name = \"x\"\n", &[], "1:1: there are no `tasks`"),
        ("tasks: {}\n", &[], "1:1: there are no `tasks`"),
        ("tasks: 7\n", &[], "1:8: `tasks` is a number, not a table"),
        (
            "tasks:\n  a b: {task_type: echo}\n",
            &[],
            "2:3: \"a b\" cannot be the name of a task: letters, digits, _ and -, at most 64",
        ),
        ("tasks:\n- task_type: echo\n", &[], "2:3: the task has no `name`"),
        (
            "tasks:\n- {name: a, task_type: echo}\n- {name: a, task_type: echo}\n",
            &[],
            "3:10: there are two tasks called `a`",
        ),
        ("tasks:\n  a: {task_type: echo}\ngroups:\n  a: [a]\n", &[], "4:3: `a` is a task already"),
        (
            "tasks:\n  a: {task_type: echo}\ngroups:\n  g: [b]\n",
            &[],
            "4:7: the group names `b`, and the flow has no task that is called so",
        ),
        (
            "tasks:\n  a: {task_type: echo}\nchains: [a, b]\n",
            &[],
            "3:13: the chain names `b`, and the flow has no task that is called so",
        ),
        ("tasks:\n  a: {task_type: echo, each: 3}\n", &[], "2:30: `each` is a number, not a list"),
        (
            "tasks:\n  a: {task_type: echo, each: [1]}\n  b: {task_type: echo, payload: '{{tasks.a.result}}'}\n",
            &[],
            "3:33: `a` is a group; name one of its tasks, e.g. `a-0`",
        ),
        (
            "tasks:\n  a: {task_type: echo, each: [1]}\n  a-0: {task_type: echo}\n",
            &[],
            "3:3: there are two tasks called `a-0`",
        ),
        (
            "tasks:\n  a: {task_type: echo}\n  b: {task_type: '{{tasks.a.result}}'}\n",
            &[],
            "3:18: `{{tasks.a.result}}`: results are known in a task's `payload` only",
        ),
        ("variables:\n  item: 1\ntasks:\n  a: {task_type: echo}\n", &[], "2:3: `item` is what `each` calls its own"),
    ];
    for (text, set, expected) in table {
        let error = plan_with(text, set).expect_err(text);
        assert_eq!(error.to_string(), expected, "{text}");
    }
}

#[test]
fn too_much_is_refused() {
    let many = format!("tasks:\n  a: {{task_type: echo, each: [{}]}}\n", "1,".repeat(TASKS_MAX + 1));
    assert!(plan_with(&many, &[]).unwrap_err().message.contains("more than 10000 tasks"));
    let wide = format!(
        "tasks:\n  a: {{task_type: echo, each: [{}]}}\n  b: {{task_type: echo, after: a}}\n",
        "1,".repeat(AFTER_MAX + 1)
    );
    assert!(plan_with(&wide, &[]).unwrap_err().message.contains("waits for 1025 tasks"));
    let holes: String = (0..=USES_MAX).map(|n| format!("{{{{tasks.a-{n}.result}}}}")).collect();
    let uses = format!(
        "tasks:\n  a: {{task_type: echo, each: [{}]}}\n  b: {{task_type: echo, payload: '{holes}'}}\n",
        "1,".repeat(USES_MAX + 1)
    );
    assert!(plan_with(&uses, &[]).unwrap_err().message.contains("uses the results of 16 tasks"));
}

/// A short file that says much: a list for each of many tasks, one value in many places, a text in a text.
#[test]
fn a_short_file_that_says_much_is_refused_before_it_is_said() {
    let numbers = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let (some, many) = (numbers(9_000), numbers(50_000));
    let holes = |hole: &str, n: usize| vec![format!("\"{hole}\""); n].join(",");
    let files = [
        format!(
            r#"{{"defaults": {{"payload": [{many}]}}, "tasks": {{"a": {{"task_type": "echo", "each": [{some}]}}}}}}"#
        ),
        format!(
            r#"{{"variables": {{"v": [{many}]}}, "tasks": {{"a": {{"task_type": "echo", "payload": [{}]}}}}}}"#,
            holes("{{v}}", 50_000)
        ),
        format!(
            r#"{{"variables": {{"v": "{}"}}, "tasks": {{"a": {{"task_type": "echo", "payload": "{}"}}}}}}"#,
            "y".repeat(100_000),
            "{{v}}".repeat(50_000)
        ),
    ];
    for file in files {
        assert!(file.len() < 1_000_000);
        let error = plan_with(&file, &[]).unwrap_err().message;
        assert_eq!(error, "with its variables filled in the flow is larger than 64 MiB");
    }
}

#[test]
fn pictures() {
    let plan = plan(SOME);
    let text = "   1  left     echo\n      shard-0  echo\n      shard-1  echo\n   2  join     echo  after left*, shard-0, shard-1\n";
    assert_eq!(draw(&plan, Picture::Text), text);
    let dot = draw(&plan, Picture::Dot);
    assert!(dot.contains("\"left\" -> \"join\";") && dot.contains("\"shard-0\" -> \"join\" [style=dashed];"), "{dot}");
    let mermaid = draw(&plan, Picture::Mermaid);
    assert!(mermaid.starts_with("graph LR\n") && mermaid.contains("  t0 --> t3\n  t1 -.-> t3\n"), "{mermaid}");
}
