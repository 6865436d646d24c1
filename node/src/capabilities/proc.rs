//! The texts of `/proc`, from text to numbers. Pure: reads nothing.

/// Processor time since boot, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CpuTimes {
    pub(super) total: u64,
    pub(super) idle: u64,
}

impl CpuTimes {
    /// Fewer ticks than this say more about rounding than about use.
    const TICKS_MIN: u64 = 10;

    /// From the first line of `/proc/stat`.
    pub(super) fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        // user nice system idle iowait irq softirq steal; the guest times after them are part of user and nice.
        let ticks: Vec<u64> = line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let idle = ticks.get(3)?.checked_add(ticks.get(4).copied().unwrap_or(0))?;
        let total = ticks.iter().try_fold(0u64, |sum, n| sum.checked_add(*n))?;
        // Kernels that forbid the numbers show zeros.
        (total > 0).then_some(Self { total, idle })
    }

    /// Use since an earlier reading, in 1/1000. `None` if too little time passed to say.
    pub(super) fn usage_permille(self, before: Self) -> Option<u32> {
        let total = self.total.checked_sub(before.total).filter(|ticks| *ticks >= Self::TICKS_MIN)?;
        // The kernel lets idle times go back a little now and then.
        let idle = self.idle.saturating_sub(before.idle).min(total);
        u32::try_from(u128::from(total - idle) * 1000 / u128::from(total)).ok()
    }
}

/// Total and available memory in bytes, from `/proc/meminfo`.
pub(super) fn memory(meminfo: &str) -> (Option<u64>, Option<u64>) {
    let field = |name: &str| {
        let rest = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let mut words = rest.split_whitespace();
        let number: u64 = words.next()?.parse().ok()?;
        match words.next() {
            Some("kB") => number.checked_mul(1024),
            _ => None,
        }
    };
    let total = field("MemTotal").filter(|bytes| *bytes > 0);
    // Kernels before 3.14 do not say what is available. What is free or holds copies of files is nearly that.
    let estimate = || field("MemFree")?.checked_add(field("Buffers")?)?.checked_add(field("Cached")?);
    let available = field("MemAvailable").or_else(estimate);
    // More available than there is would be nonsense.
    (total, available.filter(|bytes| total.is_some_and(|total| *bytes <= total)))
}

/// The load over a minute in 1/1000, from `/proc/loadavg`.
pub(super) fn load(loadavg: &str) -> Option<u32> {
    let (whole, fraction) = loadavg.split_whitespace().next()?.split_once('.')?;
    let whole: u32 = whole.parse().ok()?;
    let hundredths: u32 = fraction.parse().ok().filter(|_| fraction.len() == 2)?;
    whole.checked_mul(1000)?.checked_add(hundredths * 10)
}

/// Whether there is a default route, from `/proc/net/route` and `/proc/net/ipv6_route`. `None` if neither can be read.
pub(super) fn default_route(v4: Option<&str>, v6: Option<&str>) -> Option<bool> {
    let v4_default = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let up = fields.get(3).and_then(|flags| u32::from_str_radix(flags, 16).ok()).is_some_and(|f| f & 1 == 1);
        // Interface, destination, gateway, flags, …, and the mask in the eighth place.
        up && fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000")
    };
    let v6_default = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let gateway = fields.get(4).is_some_and(|hop| hop.bytes().any(|b| b != b'0'));
        // The kernel keeps a default route that refuses everything on `lo`; a real one has a gateway.
        gateway && fields.first().is_some_and(|to| to.bytes().all(|b| b == b'0')) && fields.get(1) == Some(&"00")
    };
    if v4.is_none() && v6.is_none() {
        return None;
    }
    let any = |text: Option<&str>, is_default: &dyn Fn(&str) -> bool| text.unwrap_or("").lines().any(is_default);
    Some(any(v4, &v4_default) || any(v6, &v6_default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_use_is_the_difference_of_two_readings() {
        let before = CpuTimes::parse("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 2 3\n").unwrap();
        assert_eq!(before, CpuTimes { total: 1000, idle: 800 });
        let after = CpuTimes::parse("cpu  150 0 125 900 25 0 0 0 50 0").unwrap();
        assert_eq!(after.usage_permille(before), Some(375), "75 of 200 ticks; guest time is not counted twice");
        assert_eq!(before.usage_permille(before), None, "no time passed");
        assert_eq!(before.usage_permille(after), None, "ran backwards");
        let idle_went_back = CpuTimes { total: 1100, idle: 790 };
        assert_eq!(idle_went_back.usage_permille(before), Some(1000));
    }

    #[test]
    fn odd_stat_files_are_unknown() {
        let odd = [
            "",
            "cpu",
            "cpu  ",
            "cpu0 1 2 3 4",
            "cpu  1 2 3",
            "cpu  a b c d",
            "cpu  -1 0 0 1",
            "cpu  0 0 0 0 0 0 0 0",
            "cpu  18446744073709551615 1 1 1",
        ];
        for stat in odd {
            assert_eq!(CpuTimes::parse(stat), None, "{stat:?}");
        }
        // As old as it gets: four numbers.
        assert_eq!(CpuTimes::parse("cpu  1 2 3 4"), Some(CpuTimes { total: 10, idle: 4 }));
    }

    #[test]
    fn memory_is_read_from_new_old_and_odd_files() {
        let kib = |n: u64| Some(n * 1024);
        let cases = [
            ("MemTotal: 100 kB\nMemFree: 10 kB\nMemAvailable:   60 kB\n", (kib(100), kib(60))),
            ("MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 5 kB\nCached: 20 kB\n", (kib(100), kib(35))),
            ("MemTotal: 100 kB\nMemFree: 10 kB\n", (kib(100), None)),
            ("MemTotal: 100 kB\nMemAvailable: 101 kB\n", (kib(100), None)),
            ("MemTotal: 0 kB\nMemAvailable: 0 kB\n", (None, None)),
            ("MemTotal: 100\nMemAvailable: -3 kB\n", (None, None)),
            ("MemTotal: 18446744073709551615 kB\n", (None, None)),
            ("", (None, None)),
        ];
        for (text, expected) in cases {
            assert_eq!(memory(text), expected, "{text:?}");
        }
    }

    #[test]
    fn load_is_in_thousandths() {
        let cases = [
            ("0.08 0.03 0.01 1/123 4567", Some(80)),
            ("12.50 1.00 1.00", Some(12_500)),
            ("", None),
            ("x.yz", None),
            ("1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(load(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_default_route_is_told_from_others() {
        let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
        let lan = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let default = "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
        let lo6 = format!("{z} 00 {z} 00 {z} ffffffff 00000001 00000000 00200200 lo\n", z = "0".repeat(32));
        let default6 =
            format!("{z} 00 {z} 00 fe80{g} 00000400 1 0 00000003 wlan0\n", z = "0".repeat(32), g = "0".repeat(28));
        assert_eq!(default_route(None, None), None);
        assert_eq!(default_route(Some(&format!("{head}{lan}")), Some(&lo6)), Some(false));
        assert_eq!(default_route(Some(&format!("{head}{lan}{default}")), None), Some(true));
        assert_eq!(default_route(Some(head), Some(&default6)), Some(true));
    }
}
