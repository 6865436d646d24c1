//! More than two: finding the rest through any one, and gossip.

use std::collections::BTreeSet;

use crate::support::{Node, eventually, node, pair, until};
use rc_p2p::{Event, GossipError};

#[tokio::test(flavor = "multi_thread")]
async fn one_address_finds_all_members() {
    let first = node(&[]).await;
    let mut nodes = vec![first];
    for _ in 0..4 {
        let next = node(&[&nodes[0]]).await;
        nodes.push(next);
    }
    let all: BTreeSet<_> = nodes.iter().map(Node::id).collect();
    eventually("everybody is linked to everybody", || {
        nodes.iter().all(|node| node.client.stats().peers.len() == all.len() - 1)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gossip_right_after_up_reaches_everybody() {
    let mut a = node(&[]).await;
    let mut b = node(&[&a]).await;
    let mut c = node(&[&a]).await;
    let heard = async |node: &mut Node| {
        until(&mut node.events, |event| match event {
            Event::Gossip { bytes, .. } => Some(bytes),
            _ => None,
        })
        .await
    };
    let (mut linked, all) = (BTreeSet::new(), BTreeSet::from([b.id(), c.id()]));
    while linked != all {
        linked.insert(a.up().await);
    }
    a.client.gossip("record").unwrap();
    assert_eq!(tokio::join!(heard(&mut b), heard(&mut c)), (b"record".to_vec(), b"record".to_vec()));
    b.client.gossip("answer").unwrap();
    assert_eq!(tokio::join!(heard(&mut a), heard(&mut c)), (b"answer".to_vec(), b"answer".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn gossip_is_bounded() {
    let (a, mut b) = pair().await;
    let max = rc_p2p::Limits::default().gossip_bytes_max;
    assert_eq!(a.client.gossip(vec![0; max + 1]), Err(GossipError::TooLarge));
    a.client.gossip(vec![7; max]).unwrap();
    let length = until(&mut b.events, |event| match event {
        Event::Gossip { bytes, .. } => Some(bytes.len()),
        _ => None,
    });
    assert_eq!(length.await, max, "the largest one passes");
}

#[tokio::test(flavor = "multi_thread")]
async fn gossip_to_nobody_is_counted_and_harmless() {
    let a = node(&[]).await;
    a.client.gossip("anybody?").unwrap();
    eventually("it is counted", || a.client.stats().gossip_dropped == 1).await;
}
