//! Frames between two members: order, size, backpressure, and what a link survives.

use crate::support::{eventually, limits, node, node_with, pair, until};
use rc_p2p::{Event, RejectReason, SendError};

#[tokio::test(flavor = "multi_thread")]
async fn frames_arrive_whole_and_in_order_both_ways() {
    let (mut a, mut b) = pair().await;
    let (ida, idb) = (a.id(), b.id());
    let payload = |n: u32| {
        let mut bytes = n.to_be_bytes().to_vec();
        bytes.resize(4 + (n as usize * 37) % 40_000, n as u8);
        bytes
    };
    let exchange = async |node: &mut crate::support::Node, other| {
        for n in 0..200 {
            node.client.send(other, payload(n)).unwrap();
        }
        for n in 0..200 {
            assert_eq!(node.frame().await, (other, payload(n)));
        }
    };
    tokio::join!(exchange(&mut a, idb), exchange(&mut b, ida));
    let stats = a.client.stats().peers[&idb];
    assert_eq!((stats.frames_in, stats.frames_out, stats.full), (200, 200, 0));
    assert_eq!(stats.bytes_in, (0..200).map(|n| payload(n).len() as u64).sum::<u64>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_frame_passes_and_a_larger_one_is_not_sent() {
    let (a, mut b) = pair().await;
    let max = rc_p2p::Limits::default().frame_bytes_max;
    assert_eq!(a.client.send(b.id(), vec![0; max + 1]), Err(SendError::TooLarge));
    a.client.send(b.id(), vec![7; max]).unwrap();
    a.client.send(b.id(), Vec::new()).unwrap();
    assert_eq!(b.frame().await.1.len(), max);
    assert_eq!(b.frame().await.1.len(), 0, "an empty frame is a frame");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_announces_too_large_a_frame_loses_its_link() {
    let mut a = node_with(&[], |config| config.limits = limits(|l| l.frame_bytes_max = 1000)).await;
    let mut b = node(&[&a]).await;
    tokio::join!(a.up(), b.up());
    b.client.send(a.id(), vec![0; 1000]).unwrap();
    b.client.send(a.id(), vec![0; 1001]).unwrap();
    assert_eq!(a.frame().await.1.len(), 1000);
    let next = until(&mut a.events, |event| match event {
        Event::Rejected { reason, .. } => Some(Ok(reason)),
        Event::Frame { bytes, .. } => Some(Err(bytes.len())),
        _ => None,
    });
    assert_eq!(next.await, Ok(RejectReason::FrameTooLarge));
    let (ida, idb) = (a.id(), b.id());
    tokio::join!(a.down(idb), b.down(ida));
    tokio::join!(a.up_with(idb), b.up_with(ida));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_read_fills_its_own_queue_only() {
    let mut a = node_with(&[], |config| {
        config.limits = limits(|l| (l.send_queue_bytes_max, l.frame_bytes_max) = (1 << 20, 1 << 20))
    })
    .await;
    let mut slow = node_with(&[&a], |config| {
        config.limits = limits(|l| (l.inbox_bytes_max, l.frame_bytes_max) = (1 << 20, 1 << 20))
    })
    .await;
    tokio::join!(a.up(), slow.up());
    let mut quick = node(&[&a]).await;
    quick.up_with(a.id()).await;
    a.up_with(quick.id()).await;
    let frame = vec![1u8; 64 << 10];
    let mut sent = 0;
    eventually("the queue is full", || {
        loop {
            match a.client.send(slow.id(), frame.clone()) {
                Ok(()) => sent += 1,
                Err(error) => {
                    assert_eq!(error, SendError::Full);
                    let stats = a.client.stats().peers[&slow.id()];
                    assert!(stats.queued_bytes <= 1 << 20);
                    // Full for good, and not only faster than the writer.
                    break stats.full > 200;
                }
            }
        }
    })
    .await;
    a.client.send(quick.id(), "hello").unwrap();
    assert_eq!(quick.frame().await.1, b"hello", "others are not affected");
    for _ in 0..sent {
        assert_eq!(slow.frame().await.1.len(), frame.len(), "what was accepted arrives");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_who_is_not_connected() {
    let a = node(&[]).await;
    assert_eq!(a.client.send(rc_p2p::identity::generate().public().to_peer_id(), "x"), Err(SendError::NotConnected));
}

#[tokio::test(flavor = "multi_thread")]
async fn reset_takes_the_link_down_and_up_again() {
    let (mut a, mut b) = pair().await;
    let (ida, idb) = (a.id(), b.id());
    for round in 0..5u8 {
        let (from, to) = if round % 2 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
        let (from_id, to_id) = (from.id(), to.id());
        from.client.reset(to_id).unwrap();
        from.down(to_id).await;
        to.down(from_id).await;
        tokio::join!(from.up_with(to_id), to.up_with(from_id));
        from.client.send(to_id, vec![round]).unwrap();
        assert_eq!(to.frame().await, (from_id, vec![round]));
    }
    assert_eq!(a.client.stats().peers.len(), 1);
    assert_eq!((a.id(), b.id()), (ida, idb));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_dial_each_other_at_once_get_one_stable_link() {
    for _ in 0..5 {
        let mut a = node(&[]).await;
        let mut b = node(&[]).await;
        a.client.dial(b.address.clone()).unwrap();
        b.client.dial(a.address.clone()).unwrap();
        tokio::join!(a.up(), b.up());
        let (ida, idb) = (a.id(), b.id());
        for n in 0..100u8 {
            a.client.send(idb, vec![n]).unwrap();
            b.client.send(ida, vec![n]).unwrap();
        }
        for node in [&mut a, &mut b] {
            for n in 0..100u8 {
                let next = until(&mut node.events, |event| match event {
                    Event::Frame { bytes, .. } => Some(Ok(bytes)),
                    Event::Up { .. } | Event::Down { .. } => Some(Err(event)),
                    _ => None,
                });
                assert_eq!(next.await, Ok(vec![n]), "no flapping");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_sends_what_is_queued_first() {
    let (a, mut b) = pair().await;
    let ida = a.id();
    for n in 0..100u8 {
        a.client.send(b.id(), vec![n; 1000]).unwrap();
    }
    a.client.shutdown().await;
    for n in 0..100u8 {
        assert_eq!(b.frame().await, (ida, vec![n; 1000]));
    }
    b.down(ida).await;
}
