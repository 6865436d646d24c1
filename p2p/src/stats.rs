//! Counters of the network: what went through, and what was turned away.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use libp2p::PeerId;

/// A snapshot of the counters. They start at zero with the process and only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// The links that are up now, counted from their `Up`.
    pub peers: BTreeMap<PeerId, PeerStats>,
    /// Connections closed because the other side did not prove its membership.
    pub not_members: u64,
    /// Incoming connections that failed in any other way: garbage, timeouts, too many.
    pub handshakes_failed: u64,
    /// Gossip messages that went out.
    pub gossip_out: u64,
    /// Gossip messages that came in.
    pub gossip_in: u64,
    /// Gossip messages lost here: a queue was full, or there was nobody to send to.
    pub gossip_dropped: u64,
}

/// One link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerStats {
    /// Frames received.
    pub frames_in: u64,
    /// Frames queued for sending.
    pub frames_out: u64,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Payload bytes queued for sending.
    pub bytes_out: u64,
    /// Frames turned away because the queue was full.
    pub full: u64,
    /// Bytes waiting in the queue now.
    pub queued_bytes: u64,
}

/// The counters that do not belong to one link.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) not_members: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    pub(crate) gossip_out: AtomicU64,
    pub(crate) gossip_in: AtomicU64,
    pub(crate) gossip_dropped: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self, peers: BTreeMap<PeerId, PeerStats>) -> Stats {
        Stats {
            peers,
            not_members: self.not_members.load(Relaxed),
            handshakes_failed: self.handshakes_failed.load(Relaxed),
            gossip_out: self.gossip_out.load(Relaxed),
            gossip_in: self.gossip_in.load(Relaxed),
            gossip_dropped: self.gossip_dropped.load(Relaxed),
        }
    }
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
