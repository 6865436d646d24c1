//! `http_request`: towards what is near, and against servers that mean harm. What must not be reached is never dialled.

use super::device::{Device, End};
use rc_scheduler::{ErrorClass, Status};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A device whose owner allows servers on loopback, so that there can be a test.
async fn device() -> Device {
    Device::with(|config| config.http_allow = vec!["127.0.0.1".to_owned()]).await
}

/// Answers each connection as `serve` says, and gives the port.
async fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            // The client may hang up in the middle.
            tokio::spawn(serve(stream));
        }
    });
    port
}

/// The same words to everybody.
async fn says(words: impl Into<Vec<u8>>) -> u16 {
    let words: Vec<u8> = words.into();
    server(move |mut stream| {
        let words = words.clone();
        async move { stream.write_all(&words).await }
    })
    .await
}

async fn get(device: &Device, port: u16, timeout: f64) -> End {
    device.run("http_request", json!({"url": format!("http://127.0.0.1:{port}/"), "timeout": timeout})).await
}

#[tokio::test]
async fn http_to_what_is_near_is_refused_in_every_spelling() {
    let device = Device::new().await;
    for url in [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://LocalHost:1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://127.1/",
        "http://0/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::a00:1]/",
        "http://[fe80::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://192.168.1.1/",
        "https://10.0.0.1/",
        "http://100.64.0.1/",
        "http://[fd00:ec2::254]/",
        "http://\u{ff11}27.0.0.1/",
        "http://127\u{3002}0\u{3002}0\u{3002}1/",
    ] {
        let end = device.run("http_request", json!({ "url": url })).await;
        end.failed(ErrorClass::PermissionDenied, "not public");
    }
    device.end().await;
}

#[tokio::test]
async fn http_of_another_scheme_or_with_more_than_one_request_in_it_is_no_request() {
    let device = device().await;
    let to = |more: Value| {
        let mut payload = json!({"url": "http://127.0.0.1:9/"});
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        payload
    };
    for payload in [
        json!({"url": "file:///etc/passwd"}),
        json!({"url": "gopher://127.0.0.1:9/_x"}),
        json!({"url": "unix:///var/run/docker.sock"}),
        json!({"url": "javascript:alert(1)"}),
        json!({"url": "http://user:password@127.0.0.1:9/"}),
        json!({"url": "http://"}),
        json!({"url": "http://[::1"}),
        json!({"url": ["http://127.0.0.1:9/"]}),
        to(json!({"method": "GET / HTTP/1.1\r\nX: y\r\n\r\nPOST"})),
        to(json!({"method": ""})),
        to(json!({"method": "CONNECT"})),
        to(json!({"headers": {"X": "a\r\nHost: evil"}})),
        to(json!({"headers": {"X\r\nY": "a"}})),
        to(json!({"headers": {"Host": "evil"}})),
        to(json!({"headers": {"Content-Length": "5"}})),
        to(json!({"headers": {"Transfer-Encoding": "chunked"}})),
        to(json!({"headers": {"Connection": "upgrade"}})),
        to(json!({"headers": {"": "a"}})),
        to(json!({"data": "a", "json": 1})),
        to(json!({"timeout": 1e308})),
        to(json!({"timeout": -1})),
        to(json!({"proxy": "http://127.0.0.1:9"})),
    ] {
        let end = device.run("http_request", payload.clone()).await;
        assert_eq!(end.class, Some(ErrorClass::InvalidPayload), "{payload}: {end:?}");
    }
    // A line end in the address is no line end in the request.
    let port =
        server(|mut stream| async move { stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await })
            .await;
    let url = format!("http://127.0.0.1:{port}/a\r\nX-Evil: b");
    let end = device.run("http_request", json!({ "url": url })).await;
    assert!(end.result["url"].as_str().is_none_or(|url| !url.contains(['\r', '\n'])), "{end:?}");
    device.end().await;
}

#[tokio::test]
async fn http_answers_that_drip_are_not_waited_for() {
    let device = device().await;
    let drip = |first: &'static [u8]| {
        server(move |mut stream| async move {
            stream.write_all(first).await?;
            loop {
                stream.write_all(b"x").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    for first in [
        &b"HTTP/1.1 200 OK\r\nX: "[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ] {
        let port = drip(first).await;
        let begin = Instant::now();
        let end = get(&device, port, 0.5).await;
        assert!(matches!(end.class, Some(ErrorClass::Timeout | ErrorClass::Task)), "{end:?}");
        assert!(begin.elapsed() < Duration::from_secs(10), "{first:?}");
    }
    device.end().await;
}

#[tokio::test]
async fn http_answers_without_end_are_cut() {
    let device = device().await;
    let flood = |first: &'static [u8], again: &'static [u8]| {
        server(move |mut stream| async move {
            stream.write_all(first).await?;
            let many = again.repeat(1 + 16_384 / again.len());
            loop {
                stream.write_all(&many).await?;
            }
        })
    };
    for (first, again, class) in [
        (&b"HTTP/1.1 200 OK\r\n"[..], &b"A: b\r\n"[..], ErrorClass::Task),
        (b"HTTP/1.1 200 OK\r\nA: ", b"x", ErrorClass::Task),
        (b"", b"x", ErrorClass::Task),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", ErrorClass::Timeout),
    ] {
        let port = flood(first, again).await;
        let end = get(&device, port, 3.0).await;
        let ended = end.class == Some(class) || end.class == Some(ErrorClass::Network);
        assert!(ended, "{}: {end:?}", String::from_utf8_lossy(again));
    }
    device.end().await;
}

#[tokio::test]
async fn http_bodies_that_lie_about_themselves_harm_nobody() {
    let device = device().await;
    // A megabyte of zeros, which a few bytes stand for: nothing unpacks it.
    let mut bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n".to_vec();
    bomb.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1, 1, 1, 0, 0, 0, 0x80, 0x90, 0xfe]);
    let end = get(&device, says(bomb).await, 5.0).await;
    assert_eq!((end.status, &end.result["bytes"]), (Status::Completed, &json!(20)), "{end:?}");
    for words in [
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
        "HTTP/1.1 999999 OK\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\u{0}: b\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxxxx",
    ] {
        let end = get(&device, says(words).await, 2.0).await;
        assert!(
            end.class.is_some() || end.result["content"].as_str().is_some_and(|text| text.len() < 10),
            "{words}: {end:?}"
        );
    }
    device.end().await;
}

#[tokio::test]
async fn http_redirects_lead_nowhere_that_a_request_may_not_go() {
    let device = device().await;
    for to in [
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://[::1]/",
        "http://localhost.localdomain:1/../",
        "//192.168.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "\u{1}",
        "http://\\\\10.0.0.1/",
    ] {
        let port = says(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")).await;
        let end = get(&device, port, 3.0).await;
        assert!(
            matches!(end.class, Some(ErrorClass::PermissionDenied | ErrorClass::Task | ErrorClass::Network)),
            "{to}: {end:?}"
        );
    }
    device.end().await;
}
