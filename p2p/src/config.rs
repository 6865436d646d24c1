//! What a node is started with: who it is, which cluster, where to listen, whom to look for, and every bound.
//!
//! Does not know where the values come from (flags, files); the caller has decided.

use std::time::Duration;

use libp2p::{Multiaddr, PeerId, identity::Keypair};

use crate::membership::Secret;

/// Everything [`crate::start`] needs.
#[derive(Clone)]
pub struct Config {
    /// This device's identity; its public half is the [`PeerId`] others see.
    pub keypair: Keypair,
    /// The cluster's secret; only holders of the same secret are ever connected.
    pub secret: Secret,
    /// TCP addresses to listen on. Default: all interfaces, IPv4 and IPv6, a free port.
    pub listen: Vec<Multiaddr>,
    /// Addresses to begin with (`--peer`), with or without `/p2p/<id>`; IP addresses only.
    pub peers: Vec<Multiaddr>,
    /// Members remembered from an earlier run, most useful address first.
    pub known: Vec<(PeerId, Vec<Multiaddr>)>,
    /// Members that are no longer welcome: refused like outsiders. At most [`Limits::revoked_max`] are kept.
    pub revoked: Vec<PeerId>,
    /// Look for members by multicast DNS on the local network.
    pub mdns: bool,
    /// Bounds and periods.
    pub limits: Limits,
}

impl Config {
    /// Defaults for everything but identity and cluster.
    #[must_use]
    pub fn new(keypair: Keypair, secret: Secret) -> Self {
        let any = |address: &str| address.parse::<Multiaddr>().ok();
        Self {
            keypair,
            secret,
            listen: ["/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0"].into_iter().filter_map(any).collect(),
            peers: Vec::new(),
            known: Vec::new(),
            revoked: Vec::new(),
            mdns: true,
            limits: Limits::default(),
        }
    }
}

/// The bounds of a node. Every queue, buffer and table has one.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest frame in bytes, both ways. Default 4 MiB. A peer that announces a larger one loses its link.
    pub frame_bytes_max: usize,
    /// Frames waiting to be written to one peer. Default 4,096; then [`crate::SendError::Full`].
    pub send_queue_frames_max: usize,
    /// Bytes waiting to be written to one peer. Default 16 MiB, never less than one frame; then [`crate::SendError::Full`].
    pub send_queue_bytes_max: usize,
    /// Events waiting for the caller. Default 1,024; then reading from peers pauses.
    pub inbox_events_max: usize,
    /// Bytes of frames waiting for the caller. Default 32 MiB, never less than one frame; then reading from peers pauses.
    pub inbox_bytes_max: usize,
    /// Largest gossip message in bytes. Default 64 KiB.
    pub gossip_bytes_max: usize,
    /// Members this node connects to on its own. Default 64: below it a cluster is a full mesh. Half as many again may connect to it.
    pub connections_max: usize,
    /// Connections from outside whose handshake is not finished. Default 32; more are closed at once.
    pub pending_inbound_max: usize,
    /// Addresses remembered per peer. Default 8.
    pub addresses_per_peer_max: usize,
    /// Peers remembered with their addresses. Default 1,024; then the least useful is forgotten.
    pub peers_max: usize,
    /// Revoked peers remembered. Default 1,024.
    pub revoked_max: usize,
    /// An outgoing attempt, from the first packet to a usable connection. Default 3 s.
    pub dial_timeout: Duration,
    /// An incoming connection's whole handshake. Default 5 s.
    pub handshake_timeout: Duration,
    /// First pause between attempts to reach a peer again; doubles up to [`Limits::redial_max`]. Default 0.2 s.
    pub redial_first: Duration,
    /// Longest pause while the loss is fresh. Default 5 s; after 24 failures in a row six times as long.
    pub redial_max: Duration,
    /// How long a peer that failed the membership proof is left alone. Default 10 min.
    pub foreign_pause: Duration,
    /// Pause between multicast DNS queries once someone answers; the first ones come at 0.5 s, doubling. Default 20 s.
    pub mdns_interval: Duration,
    /// How long others believe our multicast DNS answer. Default 90 s.
    pub mdns_ttl: Duration,
    /// Pause between Kademlia lookups when nothing changes. Default 5 min.
    pub lookup_interval: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: 4 << 20,
            send_queue_frames_max: 4096,
            send_queue_bytes_max: 16 << 20,
            inbox_events_max: 1024,
            inbox_bytes_max: 32 << 20,
            gossip_bytes_max: 64 << 10,
            connections_max: 64,
            pending_inbound_max: 32,
            addresses_per_peer_max: 8,
            peers_max: 1024,
            revoked_max: 1024,
            dial_timeout: Duration::from_secs(3),
            handshake_timeout: Duration::from_secs(5),
            redial_first: Duration::from_millis(200),
            redial_max: Duration::from_secs(5),
            foreign_pause: Duration::from_secs(600),
            mdns_interval: Duration::from_secs(20),
            mdns_ttl: Duration::from_secs(90),
            lookup_interval: Duration::from_secs(300),
        }
    }
}
