//! Which network identity is which device, who is linked, and where members were found, for the next start.

use super::hosts::Hosts;
use crate::identity::device_id;
use rc_p2p::{Multiaddr, PeerId};
use rc_scheduler::DeviceId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Beginning of the names of cells with a member's addresses.
pub(crate) const PEER_CELL: &str = "peer/";

/// Addresses remembered of one peer.
const ADDRESSES_MAX: usize = 8;

/// The members as the network knows them.
#[derive(Debug, Default)]
pub(super) struct Peers {
    names: BTreeMap<DeviceId, PeerId>,
    links: BTreeMap<DeviceId, Multiaddr>,
    addresses: BTreeMap<PeerId, BTreeSet<Multiaddr>>,
    hosts: Arc<Hosts>,
}

impl Peers {
    /// With what was remembered.
    pub(super) fn new(known: &[(PeerId, Vec<Multiaddr>)], hosts: Arc<Hosts>) -> Self {
        known.iter().flat_map(|(_, list)| list).for_each(|address| hosts.note(address));
        let names = known.iter().map(|(peer, _)| (device_id(peer), *peer)).collect();
        let addresses = known.iter().map(|(peer, list)| (*peer, list.iter().cloned().collect())).collect();
        Self { names, links: BTreeMap::new(), addresses, hosts }
    }

    /// A link came up.
    pub(super) fn up(&mut self, peer: PeerId, address: Multiaddr) -> DeviceId {
        let device = device_id(&peer);
        self.names.insert(device, peer);
        self.hosts.note(&address);
        self.links.insert(device, address);
        device
    }

    /// A link went down.
    pub(super) fn down(&mut self, peer: &PeerId) -> DeviceId {
        let device = device_id(peer);
        self.links.remove(&device);
        device
    }

    /// The network's name of a device.
    pub(super) fn name(&self, device: DeviceId) -> Option<PeerId> {
        self.names.get(&device).copied()
    }

    /// Where a device is connected.
    pub(super) fn address(&self, device: DeviceId) -> Option<&Multiaddr> {
        self.links.get(&device)
    }

    /// Notes where a peer can be reached; returns the cell to write if that is news.
    pub(super) fn learn(&mut self, peer: PeerId, mut addresses: Vec<Multiaddr>) -> Option<(String, String)> {
        addresses.truncate(ADDRESSES_MAX);
        let set: BTreeSet<_> = addresses.iter().cloned().collect();
        // The order changes often and matters little; every write wears the flash.
        if set.is_empty() || self.addresses.get(&peer) == Some(&set) {
            return None;
        }
        self.names.insert(device_id(&peer), peer);
        addresses.iter().for_each(|address| self.hosts.note(address));
        self.addresses.insert(peer, set);
        let lines: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        Some((format!("{PEER_CELL}{peer}"), lines.join("\n")))
    }
}

/// Reads a cell back; `None` if it makes no sense.
pub(crate) fn decode_peer(name: &str, value: &[u8]) -> Option<(PeerId, Vec<Multiaddr>)> {
    let peer = name.strip_prefix(PEER_CELL)?.parse().ok()?;
    Some((peer, decode_addresses(value)))
}

/// Addresses, one per line; what makes no sense is left out.
pub(crate) fn decode_addresses(value: &[u8]) -> Vec<Multiaddr> {
    let text = String::from_utf8_lossy(value);
    text.lines().filter_map(|line| line.parse().ok()).take(ADDRESSES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_when_they_are_news_and_read_back() {
        let peer = rc_p2p::identity::generate().public().to_peer_id();
        let list = |ports: &[u16]| -> Vec<Multiaddr> {
            ports.iter().map(|port| format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap()).collect()
        };
        let mut peers = Peers::default();
        let (name, value) = peers.learn(peer, list(&[1, 2])).unwrap();
        assert!(name.len() <= crate::storage::KEY_BYTES_MAX);
        assert_eq!(decode_peer(&name, value.as_bytes()), Some((peer, list(&[1, 2]))));
        assert_eq!(peers.learn(peer, list(&[2, 1])), None, "another order is no news");
        assert_eq!(peers.learn(peer, Vec::new()), None);
        assert!(peers.learn(peer, list(&[3])).is_some());
        assert_eq!(peers.name(device_id(&peer)), Some(peer));
        assert_eq!(decode_peer("peer/nonsense", b""), None);
    }
}
