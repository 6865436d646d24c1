//! A member goes, and comes back: what the others hear, and how fast.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::{config, node, node_with, secret, start, until};
use rc_p2p::{Event, Multiaddr, PeerId, identity};
use tokio::time::Instant;

/// A member in a process of its own, so that it can be killed. It is this test binary running [`member_process`].
struct Victim(Child);

impl Victim {
    fn start(key: &rc_p2p::Keypair, port: u16, peer: &Multiaddr) -> Self {
        let hex: String = identity::encode(key).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "loss::member_process", "--ignored", "--nocapture"])
            .env("RC_P2P_TEST_KEY", hex)
            .env("RC_P2P_TEST_PORT", port.to_string())
            .env("RC_P2P_TEST_PEER", peer.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the tests below as a process of its own"]
async fn member_process() {
    let Ok(hex) = std::env::var("RC_P2P_TEST_KEY") else {
        return;
    };
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    let mut config = config(secret(1));
    config.keypair = identity::decode(&bytes).unwrap();
    config.listen = vec![format!("/ip4/127.0.0.1/tcp/{}", std::env::var("RC_P2P_TEST_PORT").unwrap()).parse().unwrap()];
    config.peers = vec![std::env::var("RC_P2P_TEST_PEER").unwrap().parse().unwrap()];
    let (client, mut events) = rc_p2p::start(config).await.unwrap();
    while let Some(event) = events.next().await {
        if let Event::Frame { from, bytes } = event {
            // Echo; a full queue or a lost link is the other side's business.
            let _ = client.send(from, bytes);
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_member_is_down_then_refused_then_up_again() {
    let mut a = node(&[]).await;
    let key = identity::generate();
    let (id, port) = (key.public().to_peer_id(), free_port());
    let mut victim = Victim::start(&key, port, &a.address);
    for round in 0..3 {
        // Its addresses are known once it has introduced itself, a moment before or after it is up.
        let (mut up, mut introduced) = (false, round > 0);
        until(&mut a.events, |event| {
            up |= matches!(event, Event::Up { peer, .. } if peer == id);
            introduced |= matches!(event, Event::Addresses { peer, .. } if peer == id);
            (up && introduced).then_some(())
        })
        .await;
        a.client.send(id, vec![round]).unwrap();
        assert_eq!(a.frame().await, (id, vec![round]));
        victim.kill();
        let killed = Instant::now();
        a.down(id).await;
        let down = Instant::now();
        let verdict = until(&mut a.events, |event| match event {
            Event::Refused { peer } if peer == id => Some(true),
            Event::Unreachable { peer } if peer == id => Some(false),
            _ => None,
        });
        assert!(verdict.await, "a refused connection is proof of death");
        let (to_down, to_refused) = (down - killed, down.elapsed());
        eprintln!("killed to down {to_down:?}, down to refused {to_refused:?}");
        assert!(to_refused < Duration::from_millis(500), "{to_refused:?}");
        victim = Victim::start(&key, port, &a.address);
    }
    a.up_with(id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_leaves_politely_is_down_and_refused_too() {
    let b = node(&[]).await;
    let mut a = node(&[&b]).await;
    let id = b.id();
    a.up_with(id).await;
    b.client.shutdown().await;
    a.down(id).await;
    until(&mut a.events, |event| matches!(event, Event::Refused { peer } if peer == id).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_answer_about_remembered_members_is_told() {
    // Nobody listens on port 1, and no other test can be given it.
    let gone: (PeerId, Multiaddr) =
        (identity::generate().public().to_peer_id(), "/ip4/127.0.0.1/tcp/1".parse().unwrap());
    // A listener whose backlog is never accepted from: the connect succeeds, the handshake does not.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute: (PeerId, Multiaddr, TcpListener) = (
        identity::generate().public().to_peer_id(),
        format!("/ip4/127.0.0.1/tcp/{}", mute.local_addr().unwrap().port()).parse().unwrap(),
        mute,
    );
    let alive = node(&[]).await;
    let mut config = config(secret(1));
    config.limits.dial_timeout = Duration::from_secs(1);
    config.known =
        vec![(gone.0, vec![gone.1.clone()]), (mute.0, vec![mute.1.clone()]), (alive.id(), vec![alive.address.clone()])];
    // Not the helper that waits for an address: a verdict may come before that.
    let (_client, mut events) = rc_p2p::start(config).await.unwrap();
    let (mut refused, mut unreachable, mut up) = (Vec::new(), Vec::new(), Vec::new());
    until(&mut events, |event| {
        match event {
            Event::Refused { peer } => refused.push(peer),
            Event::Unreachable { peer } => unreachable.push(peer),
            Event::Up { peer, .. } => up.push(peer),
            _ => {}
        }
        (refused.len() + unreachable.len() + up.len() == 3).then_some(())
    })
    .await;
    assert_eq!((refused, unreachable, up), (vec![gone.0], vec![mute.0], vec![alive.id()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_address_is_tried_until_somebody_is_there() {
    let port = free_port();
    let address: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    let mut a = node_with(&[], |config| config.peers = vec![address.clone()]).await;
    let mut late = config(secret(1));
    late.listen = vec![address];
    let late = start(late).await;
    a.up_with(late.id()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: Multiaddr = format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr().unwrap().port()).parse().unwrap();
    let mut config = config(secret(1));
    config.listen = vec![address.clone()];
    let error = rc_p2p::start(config).await.err();
    assert!(matches!(&error, Some(rc_p2p::StartError::AddressInUse(taken)) if *taken == address), "{error:?}");
}
