//! A free port, once chosen, is kept: others remember this device by it.

use rc_p2p::{Multiaddr, multiaddr::Protocol};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Cell: the ports that were chosen, as JSON, by the address that was asked for.
pub(crate) const PORTS_CELL: &str = "ports";

/// Where the node was told to listen, and which ports it found free.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ports {
    asked: Vec<Multiaddr>,
    chosen: BTreeMap<String, u16>,
}

impl Ports {
    /// `cell` is what was remembered, if anything was.
    pub(crate) fn new(asked: Vec<Multiaddr>, cell: Option<Vec<u8>>) -> Self {
        let chosen = cell.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { asked, chosen }
    }

    /// The addresses asked for, with the ports of the last time where any would do.
    pub(crate) fn remembered(&self) -> Vec<Multiaddr> {
        let with_port = |address: &Multiaddr| match self.chosen.get(&address.to_string()) {
            Some(port) if is_open(address) => {
                let same = |part| if matches!(part, Protocol::Tcp(0)) { Protocol::Tcp(*port) } else { part };
                address.iter().map(same).collect()
            }
            _ => address.clone(),
        };
        self.asked.iter().map(with_port).collect()
    }

    /// Notes where the node listens; returns the cell to write if that is news.
    pub(crate) fn learn(&mut self, listening: &Multiaddr) -> Option<Vec<u8>> {
        let (ip, port) = parts(listening)?;
        let matches = |asked: &&Multiaddr| {
            is_open(asked)
                && parts(asked)
                    .is_some_and(|(want, _)| want == ip || (want.is_unspecified() && want.is_ipv4() == ip.is_ipv4()))
        };
        let key = self.asked.iter().find(matches)?.to_string();
        if self.chosen.insert(key, port) == Some(port) {
            return None;
        }
        serde_json::to_vec(&self.chosen).ok()
    }
}

/// Asks for any free port.
fn is_open(address: &Multiaddr) -> bool {
    parts(address).is_some_and(|(_, port)| port == 0)
}

fn parts(address: &Multiaddr) -> Option<(IpAddr, u16)> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some((ip, port)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Vec<Multiaddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_free_port_is_asked_for_again() {
        let asked = list(&["/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0", "/ip4/127.0.0.1/tcp/4001"]);
        let mut ports = Ports::new(asked.clone(), None);
        assert_eq!(ports.remembered(), asked);
        let cell = ports.learn(&"/ip4/192.0.2.7/tcp/5001".parse().unwrap()).unwrap();
        assert_eq!(ports.learn(&"/ip4/127.0.0.1/tcp/5001".parse().unwrap()), None);
        assert_eq!(
            Ports::new(asked, Some(cell)).remembered(),
            list(&["/ip4/0.0.0.0/tcp/5001", "/ip6/::/tcp/0", "/ip4/127.0.0.1/tcp/4001"])
        );
    }
}
