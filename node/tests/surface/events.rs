//! The stream of events as a program hears it: filters, and going on after a break.

use crate::fake::{ATTIC, CELLAR, Served, serve};
use hyper::Method;
use rc_node::client::{Client, ClientError};
use rc_node::events::{EventKind, EventRow};
use rc_scheduler::{DeviceId, Mono, TaskId};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;

const TASK: TaskId = TaskId([5; 16]);

fn say(served: &Served, kind: EventKind, task: Option<TaskId>, task_type: &str, device: DeviceId) {
    let row = EventRow {
        task,
        task_type: task.map(|_| task_type.to_owned()),
        device: Some(device),
        ..EventRow::new(kind, 1_700_000_000_000)
    };
    served.fake.log.offer(Mono(1), || Some(row));
}

/// A stream of server-sent events.
struct Heard(Lines<BufReader<UnixStream>>);

impl Heard {
    async fn open(served: &Served, query: &str, header: &str) -> Self {
        let mut raw = UnixStream::connect(served.dir.path().join("node.sock")).await.expect("a connection");
        let ask = format!("GET /v1/events{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n");
        raw.write_all(ask.as_bytes()).await.expect("sent");
        let mut heard = Self(BufReader::new(raw).lines());
        // What comes before the first event: where a listener that is cut off now goes on.
        while !heard.line().await.starts_with("id: ") {}
        heard
    }

    async fn line(&mut self) -> String {
        self.0.next_line().await.expect("it goes on").expect("it goes on")
    }

    async fn next(&mut self) -> Value {
        loop {
            if let Some(json) = self.line().await.strip_prefix("data: ") {
                return serde_json::from_str(json).expect("JSON");
            }
        }
    }

    async fn words(&mut self, count: usize) -> Vec<String> {
        let mut words = Vec::new();
        for _ in 0..count {
            words.push(self.next().await["event"].as_str().expect("a word").to_owned());
        }
        words
    }
}

#[tokio::test]
async fn events_are_told_as_they_come_and_go_on_after_a_break() {
    let served = serve().await;
    let mut heard = Heard::open(&served, "", "").await;
    say(&served, EventKind::Submit, Some(TASK), "echo", ATTIC);
    say(&served, EventKind::Schedule, Some(TASK), "echo", CELLAR);
    let first = heard.next().await;
    assert_eq!((&first["event"], &first["id"]), (&"on_submit".into(), &"3.1".into()));
    assert_eq!((&first["device"], &first["task_type"]), (&"attic".into(), &"echo".into()));
    assert_eq!((&first["task_id"], &first["at"]), (&TASK.to_string().into(), &"2023-11-14T22:13:20.000Z".into()));
    assert!(first.get("missed").is_none() && first.get("error").is_none(), "{first:#}");
    assert_eq!(heard.words(1).await, ["on_schedule"]);
    drop(heard);
    say(&served, EventKind::Complete, Some(TASK), "echo", CELLAR);
    let mut back = Heard::open(&served, "", "Last-Event-ID: 3.2\r\n").await;
    assert_eq!(back.words(1).await, ["on_complete"]);
    let mut back = Heard::open(&served, "?last_event_id=3.1", "").await;
    assert_eq!(back.words(2).await, ["on_schedule", "on_complete"]);
    // The node was started anew meanwhile: what is remembered comes, after the word that something may be missing.
    let mut back = Heard::open(&served, "?last_event_id=2.9", "").await;
    let gap = back.next().await;
    assert_eq!(gap["event"], "gap");
    assert!(gap.get("missed").is_none(), "nobody knows: {gap:#}");
    assert_eq!(back.words(3).await, ["on_submit", "on_schedule", "on_complete"]);
    (0..5_000).for_each(|_| say(&served, EventKind::Start, Some(TASK), "echo", CELLAR));
    let mut late = Heard::open(&served, "?last_event_id=3.3", "").await;
    assert_eq!(late.next().await["missed"], 5_000 - 4_096);
    assert_eq!(late.next().await["id"], format!("3.{}", 3 + 5_000 - 4_096 + 1));
    served.fake.log.close();
    while late.0.next_line().await.expect("an end").is_some() {}
}

#[tokio::test]
async fn only_what_is_wanted_is_told() {
    let served = serve().await;
    let mut client = Client::new(&served.dir.path().join("node.sock"));
    drop(served.fake.log.listen());
    say(&served, EventKind::Submit, Some(TASK), "echo", ATTIC);
    say(&served, EventKind::Start, Some(TaskId([6; 16])), "sleep", CELLAR);
    say(&served, EventKind::PeerUp, None, "", CELLAR);
    let other = TaskId([6; 16]).to_string();
    for (query, expected) in [
        ("", &["on_submit", "on_start", "peer.up"][..]),
        ("&type=sleep", &["on_start"]),
        ("&device=cellar", &["on_start", "peer.up"]),
        ("&kind=on_submit,peer.up", &["on_submit", "peer.up"]),
        (&format!("&task={other}"), &["on_start"]),
        ("&type=sleep&device=attic", &[]),
    ] {
        let mut words = Vec::new();
        let path = format!("/v1/events?follow=false{query}");
        let told = client.get_lines(&path, |line| {
            words.extend(line.strip_prefix(b"event: ").map(|word| String::from_utf8_lossy(word).into_owned()));
            true
        });
        told.await.expect("events");
        assert_eq!(words, expected, "{query}");
    }
    for query in ["kind=on_fire", "device=nobody", "last_event_id=last", "tail=3", "follow=perhaps"] {
        match client.request(Method::GET, &format!("/v1/events?{query}"), None).await {
            Err(ClientError::Problem(problem)) => assert_eq!(problem.status, 400, "{query}"),
            other => panic!("{query}: {other:?}"),
        }
    }
}
