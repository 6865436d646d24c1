//! Against servers on loopback, which only a test's owner allows. What must not be reached is never dialled.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::blobs::BlobError;
use crate::handlers::{BlobAccess, TaskInfo, TaskLimits};
use rc_scheduler::{BlobHash, BlobRef};

/// Answers each connection with the next text, and keeps what was asked.
async fn server(answers: &[&str]) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut answers: VecDeque<String> =
        answers.iter().map(|answer| answer.replace("PORT", &port.to_string())).collect();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Some(answer) = answers.pop_front() {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 64 * 1024];
            let n = stream.read(&mut request).await.unwrap();
            log.lock().unwrap().push(String::from_utf8_lossy(&request[..n]).into_owned());
            // A client that has seen enough may be gone.
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, asked)
}

fn handler(allowed: &[&str]) -> HttpRequest {
    let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
    HttpRequest::new(allowed, Arc::new(|_| false))
}

async fn ask(handler: &HttpRequest, payload: Value) -> Result<Value, TaskError> {
    handler.execute(TaskContext::detached("t"), payload).await
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-A: 1\r\nX-A: 2\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_request_goes_out_as_it_was_asked_for_and_its_answer_comes_back() {
    let (port, asked) =
        server(&[&ok("grüße"), "HTTP/1.1 404 Not Found\r\n\r\nnone", "HTTP/1.1 204 No Content\r\n\r\n"]).await;
    let handler = handler(&["127.0.0.1"]);
    let url = format!("http://127.0.0.1:{port}/a%20b?q=1#part");
    let answer = ask(&handler, json!({"url": url, "json": [1], "headers": {"X-Key": "v"}})).await.unwrap();
    assert_eq!(
        (&answer["status_code"], &answer["content"], &answer["url"]),
        (&json!(200), &json!("grüße"), &json!(url))
    );
    assert_eq!(answer["headers"]["x-a"], "1, 2");
    let first = asked.lock().unwrap()[0].to_lowercase();
    assert!(first.starts_with("post /a%20b?q=1 http/1.1\r\n"), "{first}");
    for part in
        [&format!("host: 127.0.0.1:{port}\r\n"), "x-key: v\r\n", "content-type: application/json\r\n", "\r\n\r\n[1]"]
    {
        assert!(first.contains(part), "{part}: {first}");
    }
    let answer = ask(&handler, json!({"url": url})).await.unwrap();
    assert_eq!((&answer["status_code"], &answer["content"]), (&json!(404), &json!("none")), "no failure of the task");
    let answer = ask(&handler, json!({"url": url, "method": "DELETE"})).await.unwrap();
    assert_eq!((&answer["status_code"], &answer["content"]), (&json!(204), &json!("")));
}

#[tokio::test]
async fn nothing_near_is_reached_by_any_spelling() {
    let handler = handler(&["127.0.0.1:1"]);
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::]",
        "0.0.0.0",
        "0",
        "10.1.2.3",
        "192.168.0.1",
        "172.20.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00::1]",
        "224.0.0.1",
        "255.255.255.255",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ] {
        for scheme in ["http", "https"] {
            let error = ask(&handler, json!({"url": format!("{scheme}://{host}:9/")})).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::PermissionDenied, "{host}: {}", error.message);
            assert!(error.message.contains("not public"), "{host}: {}", error.message);
        }
    }
    let member = HttpRequest::new(Vec::new(), Arc::new(|address| address == IpAddr::from([9, 9, 9, 9])));
    let error = ask(&member, json!({"url": "http://9.9.9.9/"})).await.unwrap_err();
    assert!(error.message.contains("a device of this cluster"), "{}", error.message);
}

#[tokio::test]
async fn every_redirect_is_looked_at_as_the_first_address_was() {
    let redirect =
        |status: &str, to: &str| format!("HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    for (to, words) in [
        ("http://127.0.0.1:1/", "not public"),
        ("http://169.254.169.254/latest", "not public"),
        ("//10.0.0.1/", "not public"),
        ("http://[::1]:PORT/", "not public"),
        ("file:///etc/passwd", "must begin with http"),
        ("http://user:pw@127.0.0.1:PORT/", "user name"),
    ] {
        let (port, asked) = server(&[&redirect("302", to)]).await;
        let allowed = handler(&[&format!("127.0.0.1:{port}")]);
        let error = ask(&allowed, json!({"url": format!("http://127.0.0.1:{port}/")})).await.unwrap_err();
        assert!(error.message.contains(words), "{to}: {}", error.message);
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
    let secrets = json!({"Authorization": "a", "Cookie": "b", "X-Other": "c"});
    let (other, theirs) = server(&[&ok("there")]).await;
    let (port, asked) =
        server(&[&redirect("303", "/next"), &redirect("307", &format!("http://127.0.0.1:{other}/"))]).await;
    let all = handler(&["127.0.0.1"]);
    let payload = json!({"url": format!("http://127.0.0.1:{port}/"), "data": "x", "headers": secrets});
    let answer = ask(&all, payload).await.unwrap();
    assert_eq!((&answer["content"], &answer["url"]), (&json!("there"), &json!(format!("http://127.0.0.1:{other}/"))));
    let asked = asked.lock().unwrap().clone();
    assert!(asked[1].starts_with("GET /next ") && asked[1].contains("authorization: a"), "{}", asked[1]);
    let theirs = theirs.lock().unwrap()[0].clone();
    assert!(
        theirs.contains("x-other: c") && !theirs.contains("authorization") && !theirs.contains("cookie"),
        "{theirs}"
    );

    let round = redirect("302", "/");
    let (port, asked) = server(&[round.as_str(); 10]).await;
    let error = ask(&all, json!({"url": format!("http://127.0.0.1:{port}/")})).await.unwrap_err();
    assert!(error.message.contains("more than 5 redirects"), "{}", error.message);
    assert_eq!(asked.lock().unwrap().len(), 6);
}

/// How often names were looked up: at first they mean an allowed address, from then on another one.
static LOOKED_UP: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

#[tokio::test]
async fn a_name_that_changes_its_mind_is_looked_at_each_time_it_is_dialled() {
    use std::sync::atomic::Ordering;
    let (port, asked) = server(&["HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"]).await;
    let mut rebound = handler(&["127.0.0.1"]);
    rebound.dialler.lookup = |_, port| {
        let last = if LOOKED_UP.fetch_add(1, Ordering::Relaxed) == 0 { 1 } else { 2 };
        Box::pin(async move { Ok(vec![([127, 0, 0, last], port).into()]) })
    };
    let error = ask(&rebound, json!({"url": format!("http://name.example:{port}/")})).await.unwrap_err();
    assert!(error.class == ErrorClass::PermissionDenied && error.message.contains("127.0.0.2"), "{}", error.message);
    let looked_up = LOOKED_UP.load(Ordering::Relaxed);
    assert_eq!((looked_up, asked.lock().unwrap().len()), (2, 1), "once for each connection");
    // Of several addresses those that may not be reached are not tried, wherever in the list they are.
    let (port, _) = server(&[&ok("there")]).await;
    let mut several = handler(&["127.0.0.1"]);
    several.dialler.lookup = |_, port| {
        let near = [[10, 0, 0, 1], [169, 254, 169, 254], [127, 0, 0, 1], [192, 168, 0, 1]];
        Box::pin(async move { Ok(near.map(|address| (address, port).into()).into()) })
    };
    let answer = ask(&several, json!({"url": format!("http://name.example:{port}/")})).await.unwrap();
    assert_eq!(answer["content"], "there");
}

#[tokio::test]
async fn answers_that_are_too_much_or_none_are_errors() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(300));
    for (answer, words) in [
        (long.as_str(), "bytes of headers"),
        (many.as_str(), "bytes of headers"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "no HTTP"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "broke off"),
        ("", "did not answer"),
    ] {
        let (port, _) = server(&[answer]).await;
        let error =
            ask(&handler(&["127.0.0.1"]), json!({"url": format!("http://127.0.0.1:{port}/")})).await.unwrap_err();
        assert!(error.message.contains(words), "{words}: {}", error.message);
    }
    // One that accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/", silent.local_addr().unwrap().port());
    let error = ask(&handler(&["127.0.0.1"]), json!({"url": url, "timeout": 0.05})).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::TimeoutError);
    let ctx = TaskContext::detached("t");
    ctx.cancel_token().cancel();
    assert_eq!(handler(&["127.0.0.1"]).execute(ctx, json!({"url": url})).await, Err(TaskError::stopped()));
}

/// Counts what it is given.
struct Counter;

#[async_trait]
impl BlobAccess for Counter {
    async fn file(&self, hash: BlobHash) -> Result<std::path::PathBuf, BlobError> {
        panic!("nobody asks for {hash}")
    }

    async fn put(&self, source: &mut (dyn tokio::io::AsyncRead + Send + Unpin)) -> Result<BlobRef, BlobError> {
        let bytes = tokio::io::copy(source, &mut tokio::io::sink()).await?;
        Ok(BlobRef { hash: BlobHash([1; 32]), bytes })
    }
}

#[tokio::test]
async fn what_is_long_or_no_text_becomes_a_blob() {
    let long = "x".repeat(3 << 20);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\u{0}ab\r\n0\r\n\r\n";
    let (port, _) = server(&[&ok(&long), chunked]).await;
    let url = format!("http://127.0.0.1:{port}/");
    let context = || {
        let token = tokio_util::sync::CancellationToken::new();
        TaskContext::new(TaskInfo::default(), TaskLimits::default(), token, None).with_blobs(Some(Arc::new(Counter)))
    };
    let ctx = context();
    let answer = handler(&["127.0.0.1"]).execute(ctx.clone(), json!({"url": url})).await.unwrap();
    assert_eq!((&answer["content"], &answer["bytes"]), (&json!(null), &json!(3 << 20)));
    assert_eq!(answer["blob"], BlobHash([1; 32]).to_string());
    assert_eq!(ctx.blobs_made().len(), 1);
    let answer = handler(&["127.0.0.1"]).execute(context(), json!({"url": url})).await.unwrap();
    assert_eq!(answer["content"], "\u{0}ab", "text it is, if a strange one");
}

#[tokio::test]
async fn bytes_that_are_no_text_become_a_blob_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xfe\x00").await;
    });
    let token = tokio_util::sync::CancellationToken::new();
    let ctx =
        TaskContext::new(TaskInfo::default(), TaskLimits::default(), token, None).with_blobs(Some(Arc::new(Counter)));
    let answer = handler(&["127.0.0.1"]).execute(ctx, json!({"url": url})).await.unwrap();
    assert_eq!((&answer["content"], &answer["bytes"]), (&json!(null), &json!(3)));
}

#[tokio::test]
async fn https_wants_a_certificate_of_a_known_authority() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let certificate = made.cert.der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(ok("secret").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let error = ask(&handler(&["127.0.0.1", "[::1]"]), json!({"url": url})).await.unwrap_err();
    assert!(
        error.class == ErrorClass::NetworkError && error.message.contains("no TLS with localhost"),
        "{}",
        error.message
    );
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let trusting = handler(&["127.0.0.1", "[::1]"]).with_roots(roots);
    assert_eq!(ask(&trusting, json!({"url": url})).await.unwrap()["content"], "secret");
    let by_address = url.replace("localhost", "127.0.0.1");
    let error = ask(&trusting, json!({"url": by_address})).await.unwrap_err();
    assert!(error.message.contains("no TLS with 127.0.0.1"), "another name: {}", error.message);
}
