//! The protocols that run on a connection. A list; what they report is handled in the event loop.

use libp2p::{connection_limits, identify, swarm::NetworkBehaviour};

use crate::{discovery, gossip, link};

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    /// First: what it refuses costs the others nothing.
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) links: link::streams::Behaviour,
    pub(crate) exchanges: link::streams::Behaviour,
    pub(crate) gossip: gossip::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) kademlia: discovery::kademlia::Behaviour,
    pub(crate) mdns_ipv4: discovery::mdns::Behaviour,
    pub(crate) mdns_ipv6: discovery::mdns::Behaviour,
}
