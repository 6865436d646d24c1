//! The TCP port as strangers, browsers and mistakes use it.

use crate::fake::{Served, serve};
use rc_node::api::{HttpServer, TOKEN_FILE, Token, door_http, serve_http};
use serde_json::Value;
use std::fs;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Port {
    served: Served,
    server: HttpServer,
    token: String,
}

async fn open() -> Port {
    let served = serve().await;
    let token = Token::load_or_create(served.dir.path()).expect("a token");
    let routes = door_http(served.app.clone(), token);
    let address = "127.0.0.1:0".parse().expect("an address");
    let server = serve_http(address, routes, served.stopped.clone()).await.expect("a port");
    let token = fs::read_to_string(served.dir.path().join(TOKEN_FILE)).expect("a token");
    Port { served, server, token: token.trim().to_owned() }
}

impl Port {
    /// Sends bytes, and reads until the other side is done.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.server.address()).await.expect("connects");
        let mut answer = Vec::new();
        let talk = async {
            // The node may hang up in the middle: its answer counts.
            let _ = stream.write_all(bytes).await;
            let _ = stream.read_to_end(&mut answer).await;
        };
        tokio::time::timeout(Duration::from_secs(40), talk).await.expect("an end");
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn http(&self, head: &str, headers: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        let request =
            format!("{head} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        let answer = self.raw(request.as_bytes()).await;
        let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"));
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    async fn authorized(&self, head: &str, body: &str) -> (u16, Value) {
        let headers = format!("host: localhost\r\nauthorization: Bearer {}\r\n", self.token);
        self.http(head, &headers, body).await
    }

    async fn lives(&self) {
        let (status, body) = self.http("GET /healthz", "host: anything\r\n", "").await;
        assert_eq!((status, &body["status"]), (200, &Value::from("ok")));
    }
}

#[tokio::test]
async fn only_the_token_opens_and_only_from_this_machine() {
    let port = open().await;
    let bearer = format!("authorization: Bearer {}\r\n", port.token);
    let task = r#"{"task_type":"echo"}"#;
    for (head, headers, expected) in [
        ("POST /tasks", "host: localhost\r\n".to_owned(), (401, "unauthorized")),
        ("GET /v1/peers", "host: localhost\r\n".to_owned(), (401, "unauthorized")),
        ("GET /v1/nothing", "host: localhost\r\n".to_owned(), (404, "no_such_path")),
        ("POST /tasks", "host: localhost\r\nauthorization: Bearer x\r\n".to_owned(), (401, "unauthorized")),
        ("POST /tasks", format!("host: evil.example\r\n{bearer}"), (403, "forbidden_origin")),
        ("POST /tasks", bearer.clone(), (403, "forbidden_origin")),
        (
            "POST /tasks",
            format!("host: localhost\r\norigin: http://evil.example\r\n{bearer}"),
            (403, "forbidden_origin"),
        ),
        ("DELETE /tasks/x", format!("host: localhost\r\norigin: null\r\n{bearer}"), (403, "forbidden_origin")),
        ("GET /v1/invite", format!("host: localhost\r\n{bearer}"), (404, "no_such_path")),
        ("POST /v1/shutdown", format!("host: localhost\r\n{bearer}"), (404, "no_such_path")),
        ("PUT /v1/tasks", format!("host: localhost\r\n{bearer}"), (405, "method_not_allowed")),
    ] {
        let (status, body) = port.http(head, &headers, task).await;
        assert_eq!((status, body["code"].as_str()), (expected.0, Some(expected.1)), "{head} {headers}");
        assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
    }
    assert_eq!(port.served.fake.count(), 0);
    let same = format!("host: localhost:1\r\norigin: http://localhost:1\r\n{bearer}");
    assert_eq!(port.http("POST /tasks", &same, task).await.0, 200);
}

#[tokio::test]
async fn the_older_api_is_unchanged() {
    let port = open().await;
    let body = r#"{"task_type":"echo","payload":{"a":1},"priority":"high","requirements":{"min_memory_gb":0.5}}"#;
    let (status, submitted) = port.authorized("POST /tasks", body).await;
    assert_eq!((status, &submitted["status"]), (200, &Value::from("submitted")));
    let id = submitted["task_id"].as_str().expect("an id");
    let (_, shown) = port.authorized(&format!("GET /tasks/{id}"), "").await;
    assert_eq!(shown, serde_json::json!({ "task_id": id, "status": "completed", "result": { "a": 1 } }));
    let (_, submitted) = port.authorized("POST /tasks", r#"{"task_type":"sleep"}"#).await;
    let id = submitted["task_id"].as_str().expect("an id");
    let (_, cancelled) = port.authorized(&format!("DELETE /tasks/{id}"), "").await;
    assert_eq!(cancelled, serde_json::json!({ "task_id": id, "cancelled": true }));
}

#[tokio::test]
async fn what_makes_no_sense_is_answered_and_the_node_lives_on() {
    let port = open().await;
    for (body, expected, word) in [
        ("", (400, "invalid_request"), "is empty"),
        ("not json", (400, "invalid_request"), "is not JSON"),
        (r#"{"task_type":"echo","paylod":1}"#, (400, "invalid_request"), "unknown field `paylod`"),
        (r#"{"task_type":["echo"]}"#, (400, "invalid_request"), "`task_type`"),
        (r#"{"task_type":"echo","requirements":{"timeout_seconds":-5}}"#, (400, "invalid_request"), "timeout_seconds"),
        (r#"{"task_type":"echo","requirements":{"min_memory_gb":1e18}}"#, (400, "invalid_request"), "min_memory_gb"),
        ("{\"task_type\":\"echo\u{0}\"}", (400, "invalid_request"), "control character"),
    ] {
        let (status, problem) = port.authorized("POST /v1/tasks", body).await;
        assert_eq!((status, problem["code"].as_str()), (expected.0, Some(expected.1)), "{body}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(word)), "{body}: {problem}");
    }
    for query in ["?disks=0", "?disks=x", "?disk=1"] {
        let (status, problem) = port.authorized(&format!("POST /v1/tasks{query}"), r#"{"task_type":"echo"}"#).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_request")), "{query}");
    }
    let (status, _) = port.authorized("GET /v1/tasks?status=done", "").await;
    assert_eq!(status, 400);
    assert_eq!(port.served.fake.count(), 0);
    port.lives().await;
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_in_words() {
    let port = open().await;
    let body = format!(r#"{{"task_type":"echo","payload":"{}"}}"#, "x".repeat(100_000_000));
    let (status, problem) = port.authorized("POST /v1/tasks", &body).await;
    assert_eq!((status, problem["code"].as_str()), (413, Some("payload_too_large")), "{problem}");
    port.lives().await;
}

#[tokio::test]
async fn garbage_gets_a_clear_answer() {
    let port = open().await;
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..], b"SSH-2.0-OpenSSH_9.9\r\n", b"\r\n\r\n", &[0xff; 5_000]]
    {
        let answer = port.raw(garbage).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("this port speaks HTTP"), "{answer:?}");
    }
    for (garbage, status) in [
        (b"GET / HTTP/1.1\r\nhost localhost\r\n\r\n".to_vec(), "400"),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), "400"),
        ([b"GET /".to_vec(), vec![b'a'; 100_000], b" HTTP/1.1\r\n\r\n".to_vec()].concat(), "4"),
        ([b"GET / HTTP/1.1\r\n".to_vec(), b"a: b\r\n".repeat(200), b"\r\n".to_vec()].concat(), "431"),
    ] {
        let answer = port.raw(&garbage).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer:?}");
    }
    port.lives().await;
}

#[tokio::test]
async fn a_request_inside_of_another_is_not_obeyed() {
    let port = open().await;
    let inner = "POST /tasks HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n\r\n{\"task_type\":\"echo\"}";
    for framing in [
        "content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "content-length: 0\r\ncontent-length: 99\r\n\r\n",
        "content-length: 0\r\n content-length: 99\r\n\r\n",
        "content-length: +0\r\n\r\n",
        "content-length: 0x0\r\n\r\n",
        "content-length: 18446744073709551616\r\n\r\n",
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "transfer-encoding: chunked\r\n\r\n-1\r\n",
        "transfer-encoding:\u{b}chunked\r\n\r\n0\r\n\r\n",
    ] {
        let request = format!("POST /tasks HTTP/1.1\r\nhost: localhost\r\n{framing}{inner}");
        let stream = TcpStream::connect(port.server.address()).await.expect("connects");
        let (mut read, mut write) = stream.into_split();
        write.write_all(request.as_bytes()).await.expect("sent");
        write.shutdown().await.expect("done");
        let mut answer = Vec::new();
        let talk = tokio::time::timeout(Duration::from_secs(40), read.read_to_end(&mut answer));
        let _ = talk.await.expect("an end");
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains("HTTP/1.1 2"), "{framing}: {answer}");
    }
    assert_eq!(port.served.fake.count(), 0, "nothing was accepted");
    port.lives().await;
}

#[tokio::test]
async fn ids_and_hashes_that_are_paths_find_nothing() {
    let port = open().await;
    let long = "a".repeat(20_000);
    for id in [
        "..%2f..%2fcluster",
        "%2e%2e",
        "../../cluster",
        "%00",
        "*",
        "%25",
        "..;/cluster",
        "0%0d%0aX:%20y",
        "\\..\\x",
        &long,
    ] {
        for head in ["GET /v1/tasks/", "DELETE /v1/tasks/", "GET /v1/blobs/", "GET /tasks/"] {
            let (status, body) = port.authorized(&format!("{head}{id}"), "").await;
            assert!((400..=414).contains(&status), "{head}{id}: {status} {body}");
        }
    }
    port.lives().await;
}

#[tokio::test]
async fn bodies_that_are_deep_are_refused_or_not_looked_into() {
    let port = open().await;
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for body in [
        deep.clone(),
        format!(r#"{{"task_type":{deep}}}"#),
        format!(r#"{{"task_type":"echo","requirements":{deep}}}"#),
        format!(r#"{{"task_type":"echo","metadata":{deep}}}"#),
        format!(r#"{{"task_type":"echo","unknown":{deep}}}"#),
        "[".repeat(1_000_000),
        r#"{"task_type":"echo","#.repeat(50_000),
    ] {
        let (status, problem) = port.authorized("POST /v1/tasks", &body).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_request")), "{:.60}", body);
    }
    assert_eq!(port.served.fake.count(), 0);
    // A payload is nobody's business but the handler's, which says that it is too deep.
    let (status, _) = port.authorized("POST /v1/tasks", &format!(r#"{{"task_type":"echo","payload":{deep}}}"#)).await;
    assert!(status == 202 || status == 400, "{status}");
    port.lives().await;
}

#[tokio::test]
async fn visitors_who_never_finish_a_request_hold_up_nobody() {
    let port = open().await;
    let mut visitors = Vec::new();
    // More than there may be connections at once.
    for n in 0..600_usize {
        let mut stream = TcpStream::connect(port.server.address()).await.expect("connects");
        let begun = [
            &b""[..],
            b"G",
            b"POST /tasks HTTP/1.1\r\n",
            b"POST /tasks HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{",
        ][n % 4];
        // Those that came first may be shown out meanwhile.
        let _ = stream.write_all(begun).await;
        visitors.push(stream);
    }
    // Long before the first of them is given up for its silence.
    tokio::time::timeout(Duration::from_secs(10), port.lives()).await.expect("an answer");
    assert_eq!(port.authorized("POST /tasks", r#"{"task_type":"echo"}"#).await.0, 200);
}

#[test]
fn a_token_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    Token::load_or_create(dir.path()).expect("made");
    let path = dir.path().join(TOKEN_FILE);
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).expect("text");
    let again = Token::load_or_create(dir.path()).expect("read");
    assert!(again.matches(text.trim()) && !again.matches("x"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
    assert!(Token::load_or_create(dir.path()).is_err());
}
