//! Batches, flows and dependencies as a program asks for them: what is accepted, and what is refused as a whole.

use crate::fake::{Served, serve};
use hyper::Method;
use rc_node::client::{Client, ClientError};
use serde_json::{Value, json};

async fn post(client: &mut Client, path: &str, body: &Value) -> Result<Value, ClientError> {
    client.request(Method::POST, path, Some(body.to_string().into_bytes())).await?.json()
}

fn problem(error: ClientError) -> String {
    match error {
        ClientError::Problem(problem) => format!("{} {}: {}", problem.status, problem.code, problem.detail),
        other => panic!("no problem: {other}"),
    }
}

fn client(served: &Served) -> Client {
    Client::new(&served.dir.path().join("node.sock"))
}

#[tokio::test]
async fn a_batch_is_handed_in_shown_and_listed() {
    let served = serve().await;
    let mut client = client(&served);
    let body = json!({"name": "n", "description": "d", "tasks": [
        {"task_type": "echo", "name": "one", "payload": 1},
        {"task_type": "fail", "after": ["one"], "payload": "{{tasks.one.result}}"},
        {"task_type": "sleep"},
    ]});
    let accepted = post(&mut client, "/v1/batches?disks=2", &body).await.expect("accepted");
    assert_eq!((&accepted["total"], &accepted["acks"], &accepted["name"]), (&json!(3), &json!(2), &json!("n")));
    let id = accepted["batch_id"].as_str().expect("an id");
    for name in [id, "last", &id[..20]] {
        let shown: Value = client.get(&format!("/v1/batches/{name}")).await.expect("shown");
        assert_eq!((&shown["batch_id"], &shown["kind"]), (&json!(id), &json!("batch")));
        assert_eq!((&shown["name"], &shown["description"]), (&json!("n"), &json!("d")));
        assert_eq!(shown["by_status"], json!({"completed": 1, "failed": 1, "running": 1}));
        assert_eq!((&shown["tasks"][0]["index"], shown["tasks"].as_array().map(Vec::len)), (&json!(1), Some(1)));
        assert_eq!(shown["tasks"][0]["error"]["class"], "invalid_payload");
    }
    let open: Value = client.get("/v1/batches/last?tasks=open&limit=1").await.expect("shown");
    assert_eq!(open["tasks"][0]["index"], 2);
    let listed: Value = client.get("/v1/batches?limit=5").await.expect("listed");
    assert_eq!((&listed[0]["batch_id"], listed.as_array().map(Vec::len)), (&json!(id), Some(1)));
    let path = format!("/v1/tasks/{}", accepted["task_ids"][1].as_str().expect("an id"));
    let task: Value = client.get(&path).await.expect("a task");
    assert_eq!(task["batch"], json!({"batch_id": id, "index": 1, "of": 3}));
    let done: Value =
        client.request(Method::DELETE, "/v1/batches/last", None).await.expect("cancelled").json().expect("JSON");
    assert_eq!((&done["tasks"], &done["refused"]), (&json!(1), &json!(0)));
    let again = post(&mut client, "/v1/batches/last/retry-failed", &Value::Null).await.expect("begun again");
    assert_eq!(again["tasks"], 1, "who was cancelled was meant to be");
}

#[tokio::test]
async fn a_flow_is_handed_in_and_each_of_its_tasks_shown() {
    let served = serve().await;
    let mut client = client(&served);
    let body = json!({"name": "f", "set": {"n": 5}, "tasks": {
        "b": {"task_type": "echo", "payload": "{{tasks.a.result}}"},
        "a": {"task_type": "echo", "payload": {"n": "{{n}}"}},
    }});
    let accepted = post(&mut client, "/v1/flows", &body).await.expect("accepted");
    assert_eq!(accepted["names"], json!(["a", "b"]));
    let flow: Value = client.get("/v1/flows/last").await.expect("shown");
    assert_eq!((&flow["kind"], &flow["name"], &flow["total"]), (&json!("flow"), &json!("f"), &json!(2)));
    let names: Vec<_> = flow["tasks"].as_array().expect("a list").iter().map(|task| task["name"].as_str()).collect();
    assert_eq!(names, [Some("a"), Some("b")]);
    let listed: Value = client.get("/v1/flows").await.expect("listed");
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_as_a_whole() {
    let served = serve().await;
    let mut client = client(&served);
    let echo = json!({"task_type": "echo"});
    let many: Vec<_> = std::iter::repeat_n(echo.clone(), 10_001).collect();
    let table = [
        ("/v1/batches", json!({"tasks": []}), "400 invalid_request: `tasks`: has no tasks"),
        ("/v1/batches", json!({"tasks": many}), "400 invalid_request: `tasks`: has 10001 entries; allowed are 10000"),
        ("/v1/batches", json!({"tasks": [echo], "nam": "x"}), "400 invalid_request: `nam`: unknown field"),
        (
            "/v1/batches",
            json!({"tasks": [echo, {"task_type": "echo", "prio": 1}]}),
            "400 invalid_request: `tasks[1].prio`: unknown field",
        ),
        (
            "/v1/batches",
            json!({"tasks": [echo, {"task_type": "echo", "after": ["x"]}]}),
            "400 invalid_request: `tasks[1].after[0]`: \"x\" is no task's id",
        ),
        ("/v1/batches", json!({"tasks": [echo], "name": ""}), "400 invalid_request: `name`: must not be empty"),
        (
            "/v1/flows",
            json!({"tasks": {"a": {"task_type": "echo", "after": "a"}}}),
            "400 invalid_request: `body:1:15`: these wait for each other: a after a",
        ),
        (
            "/v1/flows",
            json!({"tasks": {"a": {"task_type": "echo", "payload": "{{x}}"}}}),
            "400 invalid_request: `body:1:26`: the variable `x` has no value",
        ),
        (
            "/v1/flows",
            json!({"tasks": {"a": {"task_type": "echo"}}, "set": {"x": 1}}),
            "400 invalid_request: `body:1:1`: the flow has no variable `x`; it has none",
        ),
        (
            "/v1/flows",
            json!({"tasks": {"a": {"task_type": "echo"}}, "set": 7}),
            "400 invalid_request: `body:1:8`: `set` is a number, not a table",
        ),
        ("/v1/flows", json!([]), "400 invalid_request: `body:1:1`: a flow is a table with `tasks`, and this is a list"),
        (
            "/v1/tasks",
            json!([{"task_type": "echo", "after": ["x"]}]),
            "400 invalid_request: `[0].after[0]`: \"x\" is no task's id",
        ),
        ("/v1/batches/last/retry-failed", Value::Null, "404 batch_not_found: "),
        ("/v1/tasks/01arz3ndektsv4rrffq69g5fav/retry", Value::Null, "404 task_not_found: "),
    ];
    for (path, body, expected) in table {
        let refused = problem(post(&mut client, path, &body).await.expect_err(path));
        assert!(refused.starts_with(expected), "{path}: {refused}");
    }
    assert_eq!(served.fake.count(), 0, "nothing was accepted");
    for path in ["/v1/batches/last", "/v1/batches/01arz3ndektsv4rrffq69g5fav", "/v1/flows/01ar", "/v1/batches/%20"] {
        let refused = problem(client.get::<Value>(path).await.expect_err(path));
        assert!(refused.starts_with("404 batch_not_found"), "{path}: {refused}");
    }
    post(&mut client, "/v1/tasks", &echo).await.expect("accepted");
    let refused = problem(post(&mut client, "/v1/tasks/last/retry", &Value::Null).await.expect_err("it has a result"));
    assert_eq!(refused, "409 not_failed: it is completed");
    let bad = problem(client.get::<Value>("/v1/batches/last?tasks=some").await.expect_err("some"));
    assert!(bad.contains("allowed are failed, cancelled, open, all, none"), "{bad}");
}

#[tokio::test]
async fn an_id_of_the_other_kind_is_told_as_such() {
    let served = serve().await;
    let mut client = client(&served);
    let body = json!({"tasks": [{"task_type": "echo"}, {"task_type": "echo"}]});
    let accepted = post(&mut client, "/v1/batches", &body).await.expect("accepted");
    let (batch, task) = (accepted["batch_id"].as_str().expect("an id"), accepted["task_ids"][0].as_str().expect("one"));
    let flow = format!("/v1/flows/{}", "0".repeat(26));
    let table = [
        (format!("/v1/tasks/{batch}"), "there is no such task", format!("rc-node batch show {batch}")),
        (format!("/v1/tasks/{batch}/result"), "there is no such task", format!("rc-node batch show {batch}")),
        (format!("/v1/batches/{task}"), "there is no such batch", format!("rc-node show {task}")),
        (format!("/v1/flows/{task}"), "there is no such flow", format!("rc-node show {task}")),
        (flow, "there is no such flow", "`rc-node flow ls`".to_owned()),
        (format!("/v1/tasks/{}", "0".repeat(26)), "there is no such task", "`rc-node ps`".to_owned()),
    ];
    for (path, title, hint) in table {
        let Err(ClientError::Problem(problem)) = client.get::<Value>(&path).await else { panic!("{path} is there") };
        let said = problem.hint.as_deref().unwrap_or_default();
        assert!(&*problem.title == title && said.contains(&hint), "{path}: {problem:?}");
    }
}
