//! Streams of the caller's own beside the link.

use crate::support::{Node, node, pair};
use futures::{AsyncReadExt, AsyncWriteExt};
use rc_p2p::{OpenError, Stream};
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

async fn open(from: &Node, to: &Node) -> Stream {
    timeout(PATIENCE, from.client.open(to.id())).await.expect("in time").expect("a stream")
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_carry_bytes_both_ways_and_many_at_once() {
    let (a, b) = pair().await;
    let mut incoming = b.client.take_incoming().expect("the first taker");
    assert!(b.client.take_incoming().is_none());
    let ida = a.id();
    let echo = tokio::spawn(async move {
        for _ in 0..20 {
            let (from, mut stream) = incoming.next().await.expect("the network runs");
            assert_eq!(from, ida);
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).await.expect("all of it");
                stream.write_all(&bytes).await.expect("room");
                stream.close().await.expect("the end");
            });
        }
    });
    let exchange = async |n: usize| {
        let mut stream = open(&a, &b).await;
        let sent: Vec<u8> = (0..n * 10_000).map(|i| (i * n) as u8).collect();
        stream.write_all(&sent).await.unwrap();
        stream.close().await.unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).await.unwrap();
        assert_eq!(back, sent);
    };
    timeout(PATIENCE, futures::future::join_all((0..20).map(exchange))).await.expect("in time");
    echo.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_read_does_not_hold_up_the_link() {
    let (a, mut b) = pair().await;
    let mut incoming = b.client.take_incoming().unwrap();
    let mut stuffed = open(&a, &b).await;
    let chunk = vec![7u8; 1 << 20];
    let stuck = async {
        loop {
            stuffed.write_all(&chunk).await.unwrap();
            stuffed.flush().await.unwrap();
        }
    };
    // Nobody reads, so the writer stops for good once the stream's window is full.
    assert!(timeout(Duration::from_millis(500), stuck).await.is_err());
    for n in 0..50u8 {
        a.client.send(b.id(), vec![n]).unwrap();
        assert_eq!(b.frame().await.1, vec![n]);
    }
    drop(incoming.next().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_the_peer_goes_and_cannot_be_opened_without_a_link() {
    let (mut a, b) = pair().await;
    let mut incoming = b.client.take_incoming().unwrap();
    let mut stream = open(&a, &b).await;
    stream.write_all(b"x").await.unwrap();
    stream.flush().await.unwrap();
    let (_, kept) = incoming.next().await.unwrap();
    let idb = b.id();
    drop((kept, incoming, b));
    a.down(idb).await;
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it ends");
    assert!(read.is_err() || rest.is_empty());
    // It said goodbye on the link; its connection may be there for a moment more.
    let gone = async {
        while a.client.open(idb).await.err() != Some(OpenError::NotConnected) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("it goes");
    let stranger = node(&[]).await;
    assert_eq!(stranger.client.open(a.id()).await.err(), Some(OpenError::NotConnected));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_nobody_takes_are_refused() {
    let (a, b) = pair().await;
    drop(b.client.take_incoming());
    let mut stream = open(&a, &b).await;
    let mut rest = Vec::new();
    // However it is said, it is said at once.
    let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it ends");
    assert!(read.is_err() || rest.is_empty());
}
