//! Who gets in and who does not.

use std::time::Duration;

use crate::support::{Node, config, eventually, node, node_with, pair, secret, start, until};
use rc_p2p::{Event, RejectReason};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn tcp(node: &Node) -> TcpStream {
    let mut parts = node.address.iter();
    let (Some(rc_p2p::multiaddr::Protocol::Ip4(ip)), Some(rc_p2p::multiaddr::Protocol::Tcp(port))) =
        (parts.next(), parts.next())
    else {
        panic!("not a TCP address: {}", node.address);
    };
    TcpStream::connect((ip, port)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cluster_never_gets_in_and_the_user_is_told() {
    let (mut a, mut b) = pair().await;
    let mut foreign = config(secret(2));
    foreign.peers = vec![a.address.clone()];
    let mut outsider = start(foreign).await;
    let rejected = until(&mut outsider.events, |event| match event {
        Event::Rejected { address, reason } => Some((address, reason)),
        Event::Up { .. } => panic!("an outsider got in"),
        _ => None,
    });
    assert_eq!(rejected.await, (a.address.clone(), RejectReason::NotAMember));
    eventually("the visit is counted", || a.client.stats().not_members == 1).await;
    // A frame between the members comes after whatever the outsider could have caused.
    b.client.send(a.id(), "marker").unwrap();
    let first = until(&mut a.events, |event| match event {
        Event::Frame { .. } => Some(None),
        Event::Up { peer, .. } | Event::Down { peer } => Some(Some(peer)),
        _ => None,
    });
    assert_eq!(first.await, None, "nothing is shown of an outsider");
    assert!(outsider.client.stats().peers.is_empty());
    assert_eq!(b.client.stats().peers.len(), 1);
    assert!(b.events.try_next().is_none_or(|event| !matches!(event, Event::Down { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_port_is_survived() {
    let (mut a, b) = pair().await;
    let http = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    let noise: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for garbage in [http, noise, vec![0; 100_000], b"\x13/multistream/1.0.0\n\x07/noise\n".to_vec(), Vec::new()] {
        let mut stream = tcp(&a).await;
        // The node may hang up in the middle of it.
        let _ = stream.write_all(&garbage).await;
    }
    eventually("all of it is turned away", || a.client.stats().handshakes_failed >= 5).await;
    b.client.send(a.id(), "still here").unwrap();
    assert_eq!(a.frame().await.1, b"still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_that_says_nothing_is_shown_the_door_and_members_still_get_in() {
    let mut a = node_with(&[], |config| {
        config.limits.handshake_timeout = Duration::from_millis(300);
        config.limits.pending_inbound_max = 4;
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(tcp(&a).await);
    }
    for stream in &mut silent {
        let mut rest = Vec::new();
        // A reset is as good as an end.
        let _ = stream.read_to_end(&mut rest).await;
    }
    let mut b = node(&[&a]).await;
    tokio::join!(a.up(), b.up());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_member_is_out_until_it_is_allowed_again() {
    let (mut a, mut b) = pair().await;
    let (ida, idb) = (a.id(), b.id());
    a.client.revoke(idb).unwrap();
    tokio::join!(a.down(idb), b.down(ida));
    eventually("its return is turned away", || a.client.stats().not_members > 0).await;
    assert!(a.client.stats().peers.is_empty());
    a.client.allow(idb).unwrap();
    tokio::join!(a.up_with(idb), b.up_with(ida));
}
