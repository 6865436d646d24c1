//! A device's clocks: how it sees the one true time of the simulation.

use rc_scheduler::{Mono, Now};
use serde::{Deserialize, Serialize};

/// True time, microseconds since the run began.
pub type Micros = u64;

/// One second of true time.
pub const SECOND: Micros = 1_000_000;
/// One millisecond of true time.
pub const MS: Micros = 1_000;

/// What a device's clocks say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Clock {
    /// The monotonic clock at true time zero.
    pub base: u64,
    /// How much faster than true time it runs, parts per million.
    pub drift_ppm: i64,
    /// Wall time at true time zero, milliseconds since 1970.
    pub wall_ms: u64,
}

impl Clock {
    /// Both clocks at true time `at`.
    #[must_use]
    pub fn read(&self, at: Micros) -> Now {
        Now { mono: Mono(self.base + self.scaled(at)), wall_ms: self.wall_ms.saturating_add(at / MS) }
    }

    /// The first true time at which the monotonic clock has reached `mono`.
    #[must_use]
    pub fn when(&self, mono: Mono) -> Micros {
        let ahead = i128::from(mono.0) - i128::from(self.base);
        let rate = i128::from(1_000_000 + self.drift_ppm);
        let at = (ahead * 1_000_000 + rate - 1).div_euclid(rate);
        u64::try_from(at.max(0)).unwrap_or(u64::MAX)
    }

    fn scaled(&self, at: Micros) -> u64 {
        let scaled = i128::from(at) * i128::from(1_000_000 + self.drift_ppm) / 1_000_000;
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_is_never_before_its_deadline() {
        for drift_ppm in [-10_000, -1, 0, 3, 10_000] {
            let clock = Clock { base: 77, drift_ppm, wall_ms: 0 };
            for deadline in [77, 78, 1_000_077, 123_456_789] {
                let at = clock.when(Mono(deadline));
                assert!(clock.read(at).mono.0 >= deadline, "{drift_ppm} {deadline}");
                assert!(at == 0 || clock.read(at - 1).mono.0 < deadline, "{drift_ppm} {deadline}");
            }
        }
    }
}
