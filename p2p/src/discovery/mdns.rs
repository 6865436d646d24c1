//! Multicast DNS on the local network, over IPv4 and IPv6. Where the system forbids it (Android does), the node goes on without.

use std::io;

use libp2p::{PeerId, mdns, swarm::behaviour::toggle::Toggle};

use crate::config::Limits;

pub(crate) type Behaviour = Toggle<mdns::tokio::Behaviour>;

/// IPv6 repeats what IPv4 says on most networks; asking less often keeps its cost down where both work.
const IPV6_SLOWER: u32 = 3;

/// What was started, and why something was not.
pub(crate) struct Started {
    pub(crate) ipv4: Behaviour,
    pub(crate) ipv6: Behaviour,
    pub(crate) problem: Option<io::Error>,
}

pub(crate) fn build(me: PeerId, enabled: bool, limits: &Limits) -> Started {
    if !enabled {
        return Started { ipv4: None.into(), ipv6: None.into(), problem: None };
    }
    let start = |enable_ipv6: bool, slower: u32| {
        let config =
            mdns::Config { ttl: limits.mdns_ttl * slower, query_interval: limits.mdns_interval * slower, enable_ipv6 };
        mdns::tokio::Behaviour::new(config, me)
    };
    let (ipv4, problem) = match start(false, 1) {
        Ok(behaviour) => (Some(behaviour), None),
        Err(error) => (None, Some(error)),
    };
    let ipv6 = start(true, IPV6_SLOWER).inspect_err(|error| tracing::debug!(%error, "no multicast DNS over IPv6")).ok();
    Started { ipv4: ipv4.into(), ipv6: ipv6.into(), problem }
}
