//! What the swarm reports about connections and listeners.

use std::time::Instant;

use libp2p::swarm::{ListenError, SwarmEvent};

use super::{Dial, EventLoop};
use crate::{
    behaviour::BehaviourEvent,
    event::Event,
    reachability::{bootstrap::without_peer, outcome},
    stats::count,
};

impl EventLoop {
    pub(super) fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>, now: Instant) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event, now),
            SwarmEvent::ConnectionEstablished { peer_id: peer, connection_id, endpoint, .. } => {
                let address = endpoint.get_remote_address().clone();
                let dialled = endpoint.is_dialer().then(|| without_peer(&address));
                if let Some(Dial::Address(_)) = self.dials.remove(&connection_id) {
                    self.bootstrap.leads_to(&address, peer);
                }
                if self.membership.is_revoked(&peer) {
                    // Turned out while the handshake was under way.
                    self.swarm.close_connection(connection_id);
                    return;
                }
                // Attempts that this one has overtaken must not be taken for later ones when they fail.
                self.dials.retain(|_, dial| !matches!(dial, Dial::Peer(other) if *other == peer));
                self.reachability.connected(peer, dialled, now);
                let inbound = endpoint.is_listener();
                let actions = self.links.established(now, peer, connection_id, inbound, without_peer(&address));
                self.carry_out(actions, now);
            }
            SwarmEvent::ConnectionClosed { peer_id: peer, connection_id, num_established, cause, .. } => {
                tracing::debug!(%peer, ?cause, "connection closed");
                if num_established == 0 {
                    self.gossip.deaf(&peer);
                }
                self.openings.closed(peer, connection_id);
                let actions = self.links.closed(peer, connection_id);
                self.carry_out(actions, now);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                self.on_dial_failed(connection_id, peer_id, &error, now);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                self.on_incoming_failed(&send_back_addr, &error, now);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.announce([Event::Listening(address)]);
                // An interface came up: whoever was out of reach may not be any more.
                self.reachability.retry_all(now);
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.announce([Event::NotListening { address, reason: "the interface is gone".to_owned() }]);
            }
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                let reason = reason.err().map_or_else(|| "closed".to_owned(), |error| error.to_string());
                let gone = |address| Event::NotListening { address, reason: reason.clone() };
                self.announce(addresses.into_iter().map(gone));
                self.listeners.closed(listener_id, now);
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::debug!(%error, "could not accept a connection")
            }
            _ => {}
        }
    }

    fn on_incoming_failed(&mut self, from: &libp2p::Multiaddr, error: &ListenError, now: Instant) {
        let outsider = match error {
            ListenError::Transport(libp2p::TransportError::Other(error)) => outcome::outsider(error),
            _ => None,
        };
        let counters = &self.shared.counters;
        match outsider {
            Some(peer) => {
                count(&counters.not_members);
                tracing::debug!(%peer, %from, "turned away: not a member");
                self.reachability.keep_apart(peer, now);
            }
            None => {
                count(&counters.handshakes_failed);
                tracing::debug!(%from, %error, "incoming connection failed");
            }
        }
    }

    /// Opens the listeners that are due again.
    pub(super) fn listen(&mut self, now: Instant) {
        while let Some(address) = self.listeners.poll(now) {
            match self.swarm.listen_on(address.clone()) {
                Ok(id) => self.listeners.opened(address, id),
                Err(error) => {
                    tracing::debug!(%address, %error, "still cannot listen");
                    self.listeners.failed(address, now);
                }
            }
        }
    }
}
