//! Real nodes over loopback TCP, and waiting for what they say. Every wait has a bound and nothing sleeps for luck.

use std::time::Duration;

use rc_p2p::{Client, Config, Event, Events, Limits, Multiaddr, PeerId, Secret, identity};
use tokio::time::{Instant, timeout_at};

/// Longest wait for anything; reached only when something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Node {
    pub(crate) client: Client,
    pub(crate) events: Events,
    pub(crate) address: Multiaddr,
}

pub(crate) fn secret(n: u8) -> Secret {
    Secret::from([n; 32])
}

pub(crate) fn config(secret: Secret) -> Config {
    let mut config = Config::new(identity::generate(), secret);
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    config.mdns = false;
    config
}

pub(crate) async fn start(config: Config) -> Node {
    let (client, mut events) = rc_p2p::start(config).await.unwrap();
    let address = until(&mut events, |event| match event {
        Event::Listening(address) => Some(address),
        _ => None,
    })
    .await;
    Node { client, events, address }
}

pub(crate) async fn node(peers: &[&Node]) -> Node {
    node_with(peers, |_| {}).await
}

pub(crate) async fn node_with(peers: &[&Node], change: impl FnOnce(&mut Config)) -> Node {
    let mut config = config(secret(1));
    config.peers = peers.iter().map(|node| node.address.clone()).collect();
    change(&mut config);
    start(config).await
}

pub(crate) fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

/// The first event that `found` makes something of; the others are dropped.
pub(crate) async fn until<T>(events: &mut Events, mut found: impl FnMut(Event) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    loop {
        let event = match timeout_at(deadline, events.next()).await {
            Ok(Some(event)) => event,
            Ok(None) => panic!("the network ended; before that: {seen:?}"),
            Err(_) => panic!("waited in vain; what came instead: {seen:?}"),
        };
        let line = format!("{event:.60?}");
        if let Some(result) = found(event) {
            return result;
        }
        if seen.len() < 50 {
            seen.push(line);
        }
    }
}

impl Node {
    pub(crate) fn id(&self) -> PeerId {
        self.client.me()
    }

    pub(crate) async fn up(&mut self) -> PeerId {
        until(&mut self.events, |event| match event {
            Event::Up { peer, .. } => Some(peer),
            _ => None,
        })
        .await
    }

    pub(crate) async fn up_with(&mut self, other: PeerId) {
        until(&mut self.events, |event| matches!(event, Event::Up { peer, .. } if peer == other).then_some(())).await;
    }

    pub(crate) async fn down(&mut self, other: PeerId) {
        until(&mut self.events, |event| matches!(event, Event::Down { peer } if peer == other).then_some(())).await;
    }

    pub(crate) async fn frame(&mut self) -> (PeerId, Vec<u8>) {
        until(&mut self.events, |event| match event {
            Event::Frame { from, bytes } => Some((from, bytes)),
            _ => None,
        })
        .await
    }
}

/// Two nodes that are linked.
pub(crate) async fn pair() -> (Node, Node) {
    let mut a = node(&[]).await;
    let mut b = node(&[&a]).await;
    assert_eq!(tokio::join!(a.up(), b.up()), (b.client.me(), a.client.me()));
    (a, b)
}

/// Repeats a question until the answer is yes.
pub(crate) async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !check() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
