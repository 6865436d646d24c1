//! The addresses at which the cluster's devices were found, for those who must not talk to them.

use rc_p2p::Multiaddr;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

/// Addresses kept; of more, the later ones are not noted. A home has some dozens.
const HOSTS_MAX: usize = 4096;

/// Addresses of members, in any order of finding. They stay until the node ends: who was a member there may come back.
#[derive(Debug, Default)]
pub(crate) struct Hosts(RwLock<BTreeSet<IpAddr>>);

impl Hosts {
    /// Notes where a member was found.
    pub(super) fn note(&self, address: &Multiaddr) {
        let Some(address) = ip(address) else { return };
        let mut hosts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() < HOSTS_MAX {
            hosts.insert(address);
        }
    }

    /// Whether a member was found there.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "nobody else asks"))]
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&address)
    }
}

/// The address that a multiaddr begins with.
fn ip(address: &Multiaddr) -> Option<IpAddr> {
    let text = address.to_string();
    let mut parts = text.split('/').skip(1);
    let (family, value) = (parts.next()?, parts.next()?);
    matches!(family, "ip4" | "ip6").then(|| value.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_known_by_their_addresses() {
        let hosts = Hosts::default();
        for address in ["/ip4/192.0.2.7/tcp/1", "/ip6/2001:db8::7/udp/1/quic-v1", "/dns4/example.org/tcp/1"] {
            hosts.note(&address.parse().unwrap());
        }
        assert!(hosts.contains("192.0.2.7".parse().unwrap()) && hosts.contains("2001:db8::7".parse().unwrap()));
        assert!(!hosts.contains("192.0.2.8".parse().unwrap()));
    }
}
