//! What the link to the rest of the world can carry, as its driver says. Asks nobody and sends nothing.

use super::{Roots, read_number, read_text};

/// Kilobits per second of the interface with the default route; `None` where the driver does not say, as with most radios.
pub(super) fn bandwidth_kbps(roots: &Roots) -> Option<u64> {
    let interface = default_interface(&read_text(roots.proc.join("net/route"))?)?;
    // Names come from the kernel, but a path is a path.
    if interface.contains('/') || interface.starts_with('.') {
        return None;
    }
    let device = roots.sys.join("class/net").join(interface);
    // A bridge or a tunnel has a number that means nothing.
    if !device.join("device").exists() {
        return None;
    }
    let mbps = read_number::<i64>(device.join("speed")).filter(|mbps| (1..=1_000_000).contains(mbps))?;
    u64::try_from(mbps).ok()?.checked_mul(1000)
}

/// The interface of the default route with the smallest metric, from `/proc/net/route`.
fn default_interface(route: &str) -> Option<String> {
    let rows = route.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let up = u32::from_str_radix(fields.get(3)?, 16).ok()? & 1 == 1;
        let default = fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000");
        let metric: u32 = fields.get(6)?.parse().ok()?;
        (up && default).then(|| (metric, (*fields[0]).to_owned()))
    });
    rows.min().map(|(_, interface)| interface)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn the_link_of_the_best_default_route_counts() {
        let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
        let row =
            |name: &str, metric: u32| format!("{name}\t00000000\t0101A8C0\t0003\t0\t0\t{metric}\t00000000\t0\t0\t0\n");
        let fixture = Fixture::new(&[
            ("proc/net/route", &format!("{head}{}{}", row("wlan0", 600), row("eth0", 100))),
            ("sys/class/net/eth0/speed", "1000\n"),
            ("sys/class/net/eth0/device/vendor", "0x8086"),
            ("sys/class/net/wlan0/device/vendor", "0x8086"),
            ("sys/class/net/br0/speed", "10000\n"),
        ]);
        assert_eq!(bandwidth_kbps(&fixture.roots()), Some(1_000_000));
        fixture.write("sys/class/net/eth0/speed", "-1\n");
        assert_eq!(bandwidth_kbps(&fixture.roots()), None, "the cable is out");
        for (route, why) in [
            (row("wlan0", 1), "a radio does not say"),
            (row("br0", 1), "a bridge is no link"),
            (row("../../x", 1), "no name"),
            (String::new(), "no route"),
            ("eth0 00000000\n".to_owned(), "half a line"),
        ] {
            fixture.write("proc/net/route", &format!("{head}{route}"));
            assert_eq!(bandwidth_kbps(&fixture.roots()), None, "{why}");
        }
    }
}
