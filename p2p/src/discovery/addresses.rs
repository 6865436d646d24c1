//! Which of the addresses that are said about a peer are worth keeping.

use std::net::IpAddr;

use libp2p::{Multiaddr, multiaddr::Protocol};

/// The IP address and port of a plain TCP address.
pub(crate) fn tcp(address: &Multiaddr) -> Option<(IpAddr, u16)> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let Some(Protocol::Tcp(port)) = parts.next() else {
        return None;
    };
    Some((ip, port))
}

/// The host part.
pub(crate) fn ip(address: &Multiaddr) -> Option<IpAddr> {
    tcp(address).map(|(ip, _)| ip)
}

pub(crate) fn is_loopback(address: &Multiaddr) -> bool {
    ip(address).is_some_and(|ip| ip.is_loopback())
}

/// The address without the peer's id, if it can be dialled at all. Loopback means something only to somebody on the same host;
/// a link-local IPv6 address means nothing without an interface, which a multiaddr of this kind does not name.
pub(crate) fn usable(address: &Multiaddr, same_host: bool) -> Option<Multiaddr> {
    let (ip, port) = tcp(address)?;
    let link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let useless =
        port == 0 || ip.is_unspecified() || ip.is_multicast() || link_local || (ip.is_loopback() && !same_host);
    let plain = crate::reachability::bootstrap::without_peer(address);
    (!useless && plain.iter().count() == 2).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_can_be_dialled() {
        let table = [
            ("/ip4/192.168.1.2/tcp/4001", true, true),
            ("/ip6/fd00::1/tcp/4001", true, true),
            ("/ip4/127.0.0.1/tcp/4001", false, true),
            ("/ip6/::1/tcp/4001", false, true),
            ("/ip4/0.0.0.0/tcp/4001", false, false),
            ("/ip4/10.0.0.1/tcp/0", false, false),
            ("/ip4/224.0.0.1/tcp/4001", false, false),
            ("/ip6/fe80::1/tcp/4001", false, false),
            ("/ip4/10.0.0.1/udp/4001", false, false),
            ("/dns4/example/tcp/4001", false, false),
            ("/ip4/10.0.0.1/tcp/4001/ws", false, false),
        ];
        for (text, elsewhere, here) in table {
            let address: Multiaddr = text.parse().unwrap();
            assert_eq!(usable(&address, false).is_some(), elsewhere, "{text} from elsewhere");
            assert_eq!(usable(&address, true).is_some(), here, "{text} from the same host");
        }
    }

    #[test]
    fn drops_the_peer_id() {
        let peer = libp2p::PeerId::random();
        let plain: Multiaddr = "/ip4/10.0.0.1/tcp/1".parse().unwrap();
        assert_eq!(usable(&plain.clone().with(Protocol::P2p(peer)), false), Some(plain));
    }
}
