//! Large data as an embedder sees it: handles, handlers, and the door for programs.

use crate::support::{Cluster, PATIENCE, config, result, stop, task, until, wait};
use async_trait::async_trait;
use rc_node::api::{App, Token, door_http, serve_http};
use rc_node::blobs::BodyBlobs;
use rc_node::handlers::{TaskContext, TaskError, TaskHandler};
use rc_node::identity;
use rc_node::node::Node;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Turns a blob around: reads one, leaves another behind.
struct Reverse;

#[async_trait]
impl TaskHandler for Reverse {
    fn task_type(&self) -> &str {
        "reverse"
    }

    async fn execute(&self, ctx: TaskContext, payload: Value) -> Result<Value, TaskError> {
        let hash = payload["of"].as_str().unwrap_or_default().parse();
        let file = ctx.blob(hash.map_err(|error| TaskError::invalid(format!("{error}")))?).await?;
        let mut bytes = std::fs::read(file).map_err(|error| TaskError::task(error.to_string()))?;
        bytes.reverse();
        let made = ctx.put_blob(&bytes[..]).await?;
        Ok(json!({ "blob": made.hash.to_string(), "bytes": made.bytes }))
    }
}

fn data(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n * 31 + n / 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_reads_a_blob_from_elsewhere_and_leaves_one_that_outlives_its_device() {
    let (_dirs, mut nodes) = Cluster::start(2).await;
    let dir = tempfile::tempdir().unwrap();
    let ticket = nodes[0].handle().invite().await.unwrap().parse().unwrap();
    identity::join(dir.path(), &ticket).unwrap();
    let mut with_handler = config(dir.path(), "n2", &[]);
    with_handler.handlers.push(Arc::new(Reverse));
    nodes.push(Node::start(with_handler).await.unwrap());
    for node in &nodes {
        let enough = |peers: &[rc_node::driver::PeerReport]| {
            peers.len() == 3 && peers.iter().all(|peer| peer.state == "idle" && peer.record.is_some())
        };
        until(&node.handle(), "all three are there", enough).await;
    }
    let bytes = data(700_000);
    let first = nodes[0].handle();
    let blob = first.blobs().put(&bytes[..], None, u64::MAX).await.unwrap();
    let mut new = task("reverse", &json!({ "of": blob.hash.to_string() }).to_string());
    new.spec.blobs.push(blob);
    let accepted = first.submit(vec![new], None).await.unwrap();
    assert!(accepted.disks.len() >= 2);
    let report = wait(&first, accepted.tasks[0]).await;
    assert_eq!(report.device, Some(nodes[2].id()), "{report:#?}");
    let made = result(&report);
    let named = BodyBlobs::of(&report.outcome.as_ref().unwrap().body);
    assert_eq!(named.disks, Some(2));
    assert_eq!(
        (json!(named.made[0].hash.to_string()), json!(named.made[0].bytes)),
        (made["blob"].clone(), made["bytes"].clone())
    );

    nodes.pop().unwrap().stop().await;
    let mut back = first.blobs().load(named.made[0], u64::MAX).await.unwrap();
    back.reverse();
    assert!(back == bytes);
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_result_is_one_answer_and_a_part_of_a_blob_is_a_part() {
    let (dirs, nodes) = Cluster::start(2).await;
    let text = format!("\"{}\"", "word ".repeat(100_000));
    let handle = nodes[0].handle();
    let accepted = handle.submit(vec![task("echo", &text)], None).await.unwrap();
    assert_eq!(accepted.disks.len(), 2);
    let report = wait(&handle, accepted.tasks[0]).await;
    assert!(report.payload.is_empty(), "nothing of it is in the facts");
    assert!(report.outcome.as_ref().unwrap().body.len() < 1_000);

    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let (app, _) = App::new(nodes[1].handle());
    let token = Token::load_or_create(dirs.dirs[1].path()).unwrap();
    let secret = std::fs::read_to_string(dirs.dirs[1].path().join(rc_node::api::TOKEN_FILE)).unwrap();
    let server = serve_http("127.0.0.1:0".parse().unwrap(), door_http(app, token), stopped).await.unwrap();
    let ask = async |request: &str, more: &str, body: &[u8]| {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let head = format!(
            "{request} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {}\r\n{more}\
             content-length: {}\r\n\r\n",
            secret.trim(),
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("in time").unwrap();
        let at = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        (String::from_utf8_lossy(&answer[..at]).to_ascii_lowercase(), answer[at + 4..].to_vec())
    };

    let id = accepted.tasks[0];
    let (head, body) = ask(&format!("GET /v1/tasks/{id}/result?wait=20"), "", b"").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let result: Value = serde_json::from_slice(&body).expect("one JSON object");
    assert_eq!(result["result"], serde_json::from_str::<Value>(&text).unwrap());
    assert_eq!(
        (&result["status"], &result["disks"], &result["truncated"]),
        (&json!("completed"), &json!(2), &json!(false))
    );
    assert_eq!(result["task_id"], json!(id.to_string()));
    let (_, body) = ask(&format!("GET /tasks/{id}"), "", b"").await;
    let old: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(old["result"], result["result"]);
    let wanted = json!({ "ids": [id.to_string()] }).to_string();
    let (_, body) = ask("POST /v1/wait", "content-type: application/json\r\n", wanted.as_bytes()).await;
    assert!(String::from_utf8_lossy(&body).contains(&text));

    let bytes = data(600_000);
    let (head, body) = ask("PUT /v1/blobs", "", &bytes).await;
    assert!(head.starts_with("http/1.1 201"), "{head}");
    let put: Value = serde_json::from_slice(&body).unwrap();
    let hash = put["blob"].as_str().unwrap();
    assert_eq!(hash, blake3::hash(&bytes).to_hex().as_str());
    for (range, status, part) in [
        ("", 200, &bytes[..]),
        ("range: bytes=262000-262299\r\n", 206, &bytes[262_000..262_300]),
        ("range: bytes=-7\r\n", 206, &bytes[599_993..]),
    ] {
        let (head, body) = ask(&format!("GET /v1/blobs/{hash}"), range, b"").await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{head}");
        assert!(body == part, "{range}: {} bytes", body.len());
    }
    let (head, _) = ask(&format!("GET /v1/blobs/{hash}"), "range: bytes=600000-\r\n", b"").await;
    assert!(head.starts_with("http/1.1 416") && head.contains("content-range: bytes */600000"), "{head}");
    let (head, _) = ask(&format!("GET /v1/blobs/{}", "0".repeat(64)), "", b"").await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
    let (head, _) = ask(&format!("DELETE /v1/blobs/{hash}"), "", b"").await;
    assert!(head.starts_with("http/1.1 405"), "{head}");
    stop(nodes).await;
}
