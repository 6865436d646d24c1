//! The tie-breaker of SPEC section 5 among tasks of the same dynamic priority when there is too little for all:
//! `0.4·cpu_demand/cpu_available + 0.5·io_demand/io_bandwidth + 0.1·wait_s`, in parts per million, each term at most one whole. The
//! higher goes first: what asks for most is the hardest to place later.

use super::score::{PPM, share_ppm};
use crate::device::Capacity;
use crate::task::Requirements;
use crate::time::Span;

/// What a task asks of a device's processor and links, as it says itself (`min_cpu_cores`, `bandwidth_mbps`); unsaid is nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Demand {
    /// Cores, in thousandths.
    pub cpu_milli: u32,
    /// Kilobits per second.
    pub io_kbps: u64,
}

impl Demand {
    /// That of a task with these requirements.
    #[must_use]
    pub fn of(needs: &Requirements) -> Self {
        Self { cpu_milli: needs.min_cpu_cores_milli.unwrap_or(0), io_kbps: needs.bandwidth_kbps.unwrap_or(0) }
    }

    /// It asks for nothing in particular.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.cpu_milli == 0 && self.io_kbps == 0
    }
}

/// What there is for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Supply {
    /// Idle cores, in thousandths.
    pub cpu_milli: u64,
    /// Kilobits per second.
    pub io_kbps: u64,
}

impl Supply {
    /// That of a device. What is unknown is never guessed: it counts as nothing.
    #[must_use]
    pub fn of(capacity: &Capacity) -> Self {
        let cores = u64::from(capacity.cpu_cores_milli.unwrap_or(0));
        let idle = capacity.cpu_usage_ppm.map_or(0, |usage| PPM.saturating_sub(usage));
        Self { cpu_milli: cores * u64::from(idle) / u64::from(PPM), io_kbps: capacity.bandwidth_kbps.unwrap_or(0) }
    }

    /// The most that either of two has of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { cpu_milli: self.cpu_milli.max(other.cpu_milli), io_kbps: self.io_kbps.max(other.io_kbps) }
    }
}

/// The terms, each from 0 to [`PPM`] and not yet weighted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Contention {
    /// The share of the idle processor that the task asks for.
    pub cpu: u32,
    /// The share of the bandwidth.
    pub io: u32,
    /// Seconds that it has waited, at most one.
    pub wait: u32,
}

impl Contention {
    /// The weighted sum, rounded down: at most [`PPM`].
    #[must_use]
    pub const fn total(&self) -> u32 {
        let sum = 40 * self.cpu as u64 + 50 * self.io as u64 + 10 * self.wait as u64;
        let total = sum / 100;
        if total > PPM as u64 { PPM } else { total as u32 }
    }
}

/// How much of what there is a task takes. Of what nobody has, it takes all.
#[must_use]
pub fn contention(demand: Demand, supply: Supply, wait: Span) -> Contention {
    let share = |part: u64, whole: u64| if part > 0 && whole == 0 { PPM } else { share_ppm(part, whole) };
    Contention {
        cpu: share(demand.cpu_milli.into(), supply.cpu_milli),
        io: share(demand.io_kbps, supply.io_kbps),
        wait: u32::try_from(wait.0).map_or(PPM, |micros| micros.min(PPM)),
    }
}
