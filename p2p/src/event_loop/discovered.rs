//! What the protocols report: members seen, members known to others, and where they listen.

use std::time::Instant;

use libp2p::{
    Multiaddr, PeerId, identify,
    kad::{self, GetClosestPeersError, GetClosestPeersOk, QueryResult},
    mdns,
};

use super::EventLoop;
use crate::{
    behaviour::BehaviourEvent,
    discovery::{self, addresses},
    event::Event,
    reachability::Source,
};

/// More addresses than this in one message are not looked at.
const CLAIMED_MAX: usize = 32;

impl EventLoop {
    pub(super) fn on_behaviour(&mut self, event: BehaviourEvent, now: Instant) {
        match event {
            BehaviourEvent::Links(event) => self.on_stream(event, now),
            BehaviourEvent::Exchanges(event) => self.on_exchange(event),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Identify(identify::Event::Received { connection_id, peer_id, info }) => {
                let Some(from) = self.links.address(&peer_id, connection_id).cloned() else {
                    return;
                };
                self.on_claimed(peer_id, &from, &info.listen_addrs, now);
            }
            BehaviourEvent::Kademlia(kad::Event::OutboundQueryProgressed { id, result, step, .. }) => {
                if step.last {
                    self.lookups.finished(&id);
                }
                if let QueryResult::GetClosestPeers(
                    Ok(GetClosestPeersOk { peers, .. }) | Err(GetClosestPeersError::Timeout { peers, .. }),
                ) = result
                {
                    self.on_found(&peers, now);
                }
            }
            BehaviourEvent::MdnsIpv4(event) | BehaviourEvent::MdnsIpv6(event) => self.on_mdns(event, now),
            _ => {}
        }
    }

    /// A member says where it listens.
    fn on_claimed(&mut self, peer: PeerId, from: &Multiaddr, claimed: &[Multiaddr], now: Instant) {
        let same_host = addresses::is_loopback(from);
        for address in claimed.iter().take(CLAIMED_MAX).filter_map(|address| addresses::usable(address, same_host)) {
            // It listens on the very host it calls from: if that port is closed one day, the process is gone.
            let proven = addresses::ip(&address) == addresses::ip(from);
            let source = if proven { Source::Proven } else { Source::Hearsay };
            self.reachability.learn(peer, address, source, now);
        }
        for address in self.reachability.addresses(&peer) {
            self.swarm.behaviour_mut().kademlia.add_address(&peer, address);
        }
        if let Some(addresses) = self.reachability.news(&peer) {
            self.announce([Event::Addresses { peer, addresses }]);
        }
        self.lookups.linked(now);
    }

    /// Other members know these.
    fn on_found(&mut self, found: &[kad::PeerInfo], now: Instant) {
        let same_host = self.links.addresses().any(addresses::is_loopback);
        for info in found.iter().take(self.limits.peers_max) {
            for address in
                info.addrs.iter().take(CLAIMED_MAX).filter_map(|address| addresses::usable(address, same_host))
            {
                self.reachability.learn(info.peer_id, address, Source::Hearsay, now);
            }
        }
    }

    fn on_mdns(&mut self, event: mdns::Event, now: Instant) {
        // An expired announcement says nothing: a connection knows better, and an attempt finds out.
        let mdns::Event::Discovered(seen) = event else {
            return;
        };
        for (peer, address) in seen {
            if let Some(address) = addresses::usable(&address, false) {
                self.reachability.learn(peer, address, Source::Sighting, now);
            }
        }
    }

    /// Asks the members whom else they know.
    pub(super) fn look_up(&mut self, now: Instant) {
        if self.links.len() == 0 || !self.lookups.poll(now) {
            return;
        }
        let me = self.membership.me();
        let kademlia = &mut self.swarm.behaviour_mut().kademlia;
        for target in [me, discovery::somewhere()] {
            self.lookups.started(kademlia.get_closest_peers(target));
        }
    }
}
