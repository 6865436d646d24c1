//! Which addresses a request may go to: those that everybody on the Internet can reach, and what the owner of the device allows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address or a network, and a port or all of them, that the owner allows although it is not public: `192.168.1.0/24:8080`,
/// `127.0.0.1:9000`, `[fd00::]/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowedTarget {
    network: IpAddr,
    prefix: u8,
    port: Option<u16>,
}

/// A text that is no such target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?}: write ADDR[/BITS][:PORT], e.g. 192.168.1.0/24:8080, or [fd00::]/8:80")]
pub struct AllowedError(String);

impl FromStr for AllowedTarget {
    type Err = AllowedError;

    fn from_str(text: &str) -> Result<Self, AllowedError> {
        let wrong = || AllowedError(text.chars().take(80).collect());
        let (address, rest) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']').ok_or_else(wrong)?;
                (IpAddr::V6(address.parse().map_err(|_| wrong())?), rest)
            }
            None => {
                let end = text.find(['/', ':']).unwrap_or(text.len());
                (IpAddr::V4(text[..end].parse().map_err(|_| wrong())?), &text[end..])
            }
        };
        let (bits, port) = match rest.split_once(':') {
            Some((bits, port)) => (bits, Some(port.parse().map_err(|_| wrong())?)),
            None => (rest, None),
        };
        let all = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match bits.strip_prefix('/') {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= all).ok_or_else(wrong)?,
            None if bits.is_empty() => all,
            None => return Err(wrong()),
        };
        Ok(Self { network: address, prefix, port })
    }
}

impl AllowedTarget {
    /// Whether it covers an address.
    pub(super) fn covers(&self, address: IpAddr, port: u16) -> bool {
        let same = |a: u128, b: u128, bits: u32| {
            let shift = bits - u32::from(self.prefix).min(bits);
            a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0)
        };
        let inside = match (self.network, plain(address)) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        };
        inside && self.port.is_none_or(|allowed| allowed == port)
    }
}

/// The IPv4 address behind an IPv6 one that only stands for it.
pub(super) fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let four = six.to_ipv4_mapped().or_else(|| {
        // NAT64: the network behind it sees the IPv4 address.
        let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = six.segments() else { return None };
        Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
    });
    four.map_or(address, IpAddr::V4)
}

/// Whether everybody on the Internet can reach it.
pub(super) fn is_public(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(four) => is_public_v4(four),
        IpAddr::V6(six) => is_public_v6(six),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    match address.octets() {
        // This network, private ones, those of carriers, this device, the link.
        [0 | 10 | 127, ..] | [169, 254, ..] | [192, 168, ..] => false,
        [100, second, ..] if second & 0xc0 == 64 => false,
        [172, second, ..] if second & 0xf0 == 16 => false,
        // Protocols, documentation, measuring, an old relay.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => false,
        // Groups, reserved, everybody.
        [224..=255, ..] => false,
        _ => true,
    }
}

/// Only what is given out for the Internet, and of that neither what wraps an IPv4 address nor documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x2002, ..] => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_everybody_can_reach_is_public() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "3fff:1000::1",
        ];
        let other = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
        ];
        for text in public {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in other {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_owner_allows_addresses_networks_and_ports() {
        let covers = |allowed: &str, address: &str, port| {
            allowed.parse::<AllowedTarget>().unwrap().covers(address.parse().unwrap(), port)
        };
        assert!(covers("192.168.1.0/24:8080", "192.168.1.77", 8080));
        assert!(!covers("192.168.1.0/24:8080", "192.168.1.77", 80));
        assert!(!covers("192.168.1.0/24:8080", "192.168.2.77", 8080));
        assert!(covers("127.0.0.1", "127.0.0.1", 1) && !covers("127.0.0.1", "127.0.0.2", 1));
        assert!(covers("127.0.0.1:80", "::ffff:127.0.0.1", 80), "the same address in another form");
        assert!(covers("0.0.0.0/0", "10.1.2.3", 80) && !covers("0.0.0.0/0", "::1", 80));
        assert!(covers("[fd00::]/8:80", "fdff::1", 80) && !covers("[fd00::]/8:80", "fe80::1", 80));
        assert!(covers("[::]/0", "::1", 80));
        for bad in [
            "",
            "localhost:80",
            "10.0.0.0/33",
            "10.0.0.0/8:",
            "10.0.0.0:x",
            "[::1",
            "[::1]/129",
            "::1",
            "10.0.0.1 ",
            "10.0.0.0/8/8",
        ] {
            assert!(bad.parse::<AllowedTarget>().is_err(), "{bad}");
        }
    }
}
