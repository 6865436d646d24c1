//! The API as a program uses it: what goes in, what comes out.

use crate::fake::{Fake, serve};
use hyper::Method;
use rc_node::api::NodeApi;
use rc_node::client::{Client, ClientError};
use rc_scheduler::{NewTask, TaskSpec};
use serde_json::{Value, json};
use std::time::Duration;

async fn post(client: &mut Client, path: &str, body: &str) -> Result<Value, ClientError> {
    client.request(Method::POST, path, Some(body.as_bytes().to_vec())).await?.json()
}

fn code(error: ClientError) -> (u16, String) {
    match error {
        ClientError::Problem(problem) => (problem.status, problem.code.into_string()),
        other => panic!("no problem: {other}"),
    }
}

#[tokio::test]
async fn a_log_is_told_in_lines_or_as_server_sent_events() {
    let served = serve().await;
    let socket = served.dir.path().join("node.sock");
    let mut client = Client::new(&socket);
    let body = r#"{"task_type":"command","payload":{"argv":["exit","0"]}}"#;
    post(&mut client, "/v1/tasks", body).await.expect("accepted");
    let answer = client.request(Method::GET, "/v1/tasks/last/logs?follow=true", None).await.expect("a log");
    let lines: Vec<Value> =
        answer.body.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let told: Vec<_> = lines.iter().map(|line| (line["event"].as_str(), line["text"].as_str())).collect();
    let expected = [
        (Some("progress"), Some("working")),
        (Some("output"), Some("out\n")),
        (Some("output"), Some("err\n")),
        (Some("ended"), None),
    ];
    assert_eq!(told, expected);
    assert_eq!(lines[3], json!({"event": "ended", "status": "completed", "truncated": false}));

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut raw = tokio::net::UnixStream::connect(&socket).await.expect("a connection");
    let ask =
        "GET /v1/tasks/last/logs HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n";
    raw.write_all(ask.as_bytes()).await.expect("sent");
    let mut text = String::new();
    raw.read_to_string(&mut text).await.expect("an answer");
    assert!(text.contains("content-type: text/event-stream\r\n"), "{text}");
    assert!(text.contains("event: output\ndata: {\"event\":\"output\",\"stream\":\"stdout\""), "{text}");
    for (path, problem) in [
        ("/v1/tasks/last/logs?follow=perhaps", (400, "invalid_request")),
        ("/v1/tasks/last/logs?tail=3", (400, "invalid_request")),
        ("/v1/tasks/01arz3ndektsv4rrffq69g5fav/logs", (404, "task_not_found")),
    ] {
        let (status, word) = code(client.request(Method::GET, path, None).await.expect_err(path));
        assert_eq!((status, word.as_str()), problem, "{path}");
    }
}

#[tokio::test]
async fn a_task_goes_in_and_its_result_comes_out_as_it_is() {
    let served = serve().await;
    let mut client = Client::new(&served.dir.path().join("node.sock"));
    // More digits than a float has: they must survive.
    let payload = r#"{"n":12345678901234567890123,"x":1.50}"#;
    let body = format!(r#"{{"task_type":"echo","payload":{payload}}}"#);
    let accepted = post(&mut client, "/v1/tasks", &body).await.expect("accepted");
    assert_eq!(accepted["acks"], 2);
    assert_eq!(accepted["ack_devices"], json!(["attic", "cellar"]));
    assert_eq!(accepted["placement"]["device"], "cellar");
    assert_eq!(accepted["trace_id"].as_str().map(str::len), Some(32));
    let id = accepted["task_id"].as_str().expect("an id");
    let result = client.request(Method::GET, &format!("/v1/tasks/{id}/result?wait=5"), None).await.expect("a result");
    let text = String::from_utf8(result.body.to_vec()).expect("text");
    assert!(text.contains(&format!(r#""result":{payload}"#)), "{text}");
    let result: Value = result.json().expect("JSON");
    for (field, value) in [
        ("status", json!("completed")),
        ("disks", json!(2)),
        ("device", json!("cellar")),
        ("attempt", json!(1)),
        ("submitted_at", json!("2023-11-14T22:13:20.000Z")),
        ("resource_usage", json!({ "cpu_seconds": 0.25, "max_memory_mb": 12.5 })),
        ("error", json!(null)),
        ("truncated", json!(false)),
    ] {
        assert_eq!(result[field], value, "{field}");
    }
    let shown: Value = client.get("/v1/tasks/last").await.expect("shown");
    assert_eq!(shown["attempts"][0]["outcome"], "completed");
    assert_eq!(shown["requirements"]["timeout_seconds"], 300.0);
    let listed: Value = client.get("/v1/tasks?status=success").await.expect("listed");
    assert_eq!(listed[0]["task_id"], id);
    let explained: Value = client.get("/v1/tasks/last/explain").await.expect("explained");
    assert_eq!(explained["rows"][0]["terms"]["cpu"], 0.9);
}

#[tokio::test]
async fn a_trace_context_comes_in_and_goes_out_as_a_header() {
    let served = serve().await;
    let mut client = Client::new(&served.dir.path().join("node.sock"));
    let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    client.set_trace(context.parse().ok());
    let echo = || Some(br#"{"task_type":"echo"}"#.to_vec());
    let answer = client.request(Method::POST, "/v1/tasks", echo()).await.expect("accepted");
    let header = |answer: &rc_node::client::Answer| answer.headers["traceresponse"].to_str().expect("text").to_owned();
    let told = header(&answer);
    assert!(told.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && told.ends_with("-00"), "{told}");
    assert!(!told.contains("00f067aa0ba902b7"), "{told}");
    let id = answer.json::<Value>().expect("JSON")["task_id"].as_str().expect("an id").to_owned();
    for path in [format!("/v1/tasks/{id}"), format!("/v1/tasks/{id}/result")] {
        let answer = client.request(Method::GET, &path, None).await.expect("known");
        assert_eq!(header(&answer), told, "{path}");
        assert_eq!(answer.json::<Value>().expect("JSON")["task_id"], id.as_str());
    }
    // The older path takes it as well; and a context that makes no sense is none.
    client.request(Method::POST, "/tasks", echo()).await.expect("accepted");
    let shown: Value = client.get("/v1/tasks/last").await.expect("known");
    assert_eq!(shown["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut raw = tokio::net::UnixStream::connect(served.dir.path().join("node.sock")).await.expect("a connection");
    let body = r#"{"task_type":"echo"}"#;
    let ask = format!(
        "POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\ntraceparent: 00-4bf9-00f0-01\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    raw.write_all(ask.as_bytes()).await.expect("sent");
    let mut text = String::new();
    raw.read_to_string(&mut text).await.expect("an answer");
    assert!(
        text.starts_with("HTTP/1.1 202") && text.contains("traceresponse: 00-") && !text.contains("4bf9"),
        "{text}"
    );
}

#[tokio::test]
async fn a_list_is_accepted_whole_or_not_at_all() {
    let served = serve().await;
    let mut client = Client::new(&served.dir.path().join("node.sock"));
    let bad = r#"[{"task_type":"echo"},{"task_type":"echo","requirements":{"min_cpu_cores":-1}}]"#;
    let error = post(&mut client, "/v1/tasks", bad).await.expect_err("refused");
    assert!(error.to_string().contains("[1].requirements.min_cpu_cores"), "{error}");
    assert_eq!(served.fake.count(), 0);
    let good = r#" [{"task_type":"echo"},{"task_type":"echo"}]"#;
    let views = post(&mut client, "/v1/tasks", good).await.expect("accepted");
    assert_eq!(views.as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn devices_are_named_as_people_name_them() {
    let served = serve().await;
    let mut client = Client::new(&served.dir.path().join("node.sock"));
    let body = r#"{"task_type":"echo","requirements":{"only_devices":["cellar"]}}"#;
    post(&mut client, "/v1/tasks", body).await.expect("accepted");
    let shown: Value = client.get("/v1/tasks/last").await.expect("shown");
    assert_eq!(shown["requirements"]["only_devices"], json!(["cellar"]));
    let body = r#"{"task_type":"echo","requirements":{"only_devices":["celar"]}}"#;
    let error = post(&mut client, "/v1/tasks", body).await.expect_err("typo");
    assert!(error.to_string().contains("no device of the cluster is called \"celar\""), "{error}");
}

#[tokio::test]
async fn ids_that_match_nothing_or_several_are_told_apart() {
    let served = serve().await;
    let mut client = Client::new(&served.dir.path().join("node.sock"));
    for _ in 0..2 {
        post(&mut client, "/v1/tasks", r#"{"task_type":"echo"}"#).await.expect("accepted");
    }
    for (id, expected) in [
        ("01", (409, "ambiguous_id")),
        ("zzzz", (404, "task_not_found")),
        ("no%20id", (404, "task_not_found")),
        ("00000000000000000000000000", (404, "task_not_found")),
    ] {
        let error = client.get::<Value>(&format!("/v1/tasks/{id}")).await.expect_err(id);
        let (status, code) = code(error);
        assert_eq!((status, code.as_str()), expected, "{id}");
    }
}

#[tokio::test]
async fn results_of_thousands_stream_as_they_settle() {
    let served = serve().await;
    let mut client = Client::new(&served.dir.path().join("node.sock"));
    let sleeping = post(&mut client, "/v1/tasks", r#"{"task_type":"sleep"}"#).await.expect("accepted");
    let sleeping = sleeping["task_id"].as_str().expect("an id").to_owned();
    let body = format!("[{}]", [r#"{"task_type":"echo","payload":1}"#; 200].join(","));
    let views = post(&mut client, "/v1/tasks", &body).await.expect("accepted");
    let mut ids: Vec<_> = views.as_array().expect("a list").iter().map(|view| view["task_id"].clone()).collect();
    ids.insert(0, json!(sleeping));
    let (fake, id): (Fake, _) = (served.fake.clone(), sleeping.parse().expect("an id"));
    let mut done = Vec::new();
    let body = json!({ "ids": ids }).to_string().into_bytes();
    let wait = client.post_lines("/v1/wait", body, |line| {
        let view: Value = serde_json::from_slice(line).expect("JSON");
        done.push(view["task_id"].as_str().expect("an id").to_owned());
        if done.len() == 200 {
            // Only now: the others did not wait for it.
            let fake = fake.clone();
            tokio::spawn(async move { fake.cancel(id).await });
        }
        true
    });
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("in time").expect("a stream");
    assert_eq!(done.len(), 201);
    assert_eq!(done.last(), Some(&sleeping));
}

#[tokio::test]
async fn waiting_for_many_holds_up_nobody() {
    let served = serve().await;
    let mut client = Client::new(&served.dir.path().join("node.sock"));
    // Not over HTTP: the names of the devices, which every line needs, are asked for in the middle of the wait.
    let echo = TaskSpec { task_type: "echo".into(), ..TaskSpec::default() };
    let tasks = vec![NewTask::new(echo, b"1".to_vec().into()); 200];
    let ids = served.fake.submit(tasks, None).await.expect("accepted").tasks;
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    let mut lines = 0;
    let count = |_: &[u8]| {
        lines += 1;
        true
    };
    let wait = client.post_lines("/v1/wait", json!({ "ids": ids }).to_string().into_bytes(), count);
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("in time").expect("a stream");
    assert_eq!(lines, 200);
}

#[tokio::test]
async fn a_wait_that_is_over_says_where_the_task_stands() {
    let served = serve().await;
    let mut client = Client::new(&served.dir.path().join("node.sock"));
    post(&mut client, "/v1/tasks", r#"{"task_type":"sleep"}"#).await.expect("accepted");
    let result: Value = client.get("/v1/tasks/last/result?wait=0.05").await.expect("an answer");
    assert_eq!((&result["status"], &result["progress"]), (&json!("running"), &json!(10)));
    let cancelled = client.request(Method::DELETE, "/v1/tasks/last", None).await.expect("an answer");
    assert_eq!(cancelled.json::<Value>().expect("JSON")["status"], "cancelled");
}

#[tokio::test]
async fn the_owner_can_stop_the_node() {
    let mut served = serve().await;
    let mut client = Client::new(&served.dir.path().join("node.sock"));
    post(&mut client, "/v1/shutdown", "").await.expect("an answer");
    served.stopped.wait_for(|stopped| *stopped).await.expect("told");
}
