//! What a rule is given: the time, and what the device's sensors said.

use crate::capabilities::{Battery, Capabilities};
use rc_scheduler::Mono;

/// Before this the clock on the wall has not been set since the device was switched on: 2024-01-01, milliseconds since 1970.
const CLOCK_SET_MS: u64 = 1_704_067_200_000;

/// A time of day where the device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Days since 1970.
    pub day: i64,
    /// Minutes since midnight.
    pub minute: u16,
}

impl Local {
    /// 0 is Monday.
    #[must_use]
    pub const fn weekday(self) -> u8 {
        // 1970 began on a Thursday.
        (self.day + 3).rem_euclid(7) as u8
    }
}

/// When a policy is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Never goes back, runs while the device sleeps.
    pub mono: Mono,
    /// Milliseconds since 1970, as the device believes.
    pub wall_ms: u64,
    /// How far its time is ahead of UTC, seconds.
    pub ahead_s: i32,
}

impl Moment {
    /// The time of day; `None` = nobody has set the clock.
    pub(super) fn local(&self) -> Option<Local> {
        (self.wall_ms >= CLOCK_SET_MS).then(|| self.at(self.wall_ms))
    }

    fn at(&self, wall_ms: u64) -> Local {
        let minutes = (i64::try_from(wall_ms / 1000).unwrap_or(i64::MAX / 2) + i64::from(self.ahead_s)).div_euclid(60);
        Local { day: minutes.div_euclid(24 * 60), minute: minutes.rem_euclid(24 * 60) as u16 }
    }

    /// The beginning of a later minute, milliseconds since 1970.
    pub(super) const fn minutes_on(&self, minutes: u16) -> u64 {
        self.wall_ms - self.wall_ms % 60_000 + minutes as u64 * 60_000
    }

    /// A later time as a person here would say it: `22:14`, `sat 22:14`, or in how many days.
    pub(super) fn say(&self, wall_ms: u64) -> String {
        let (now, then) = (self.at(self.wall_ms), self.at(wall_ms));
        let clock = clock(then.minute);
        match then.day - now.day {
            0 => clock,
            1..=6 => format!("{} {clock}", DAYS[usize::from(then.weekday())]),
            days => format!("{clock} in {days} days"),
        }
    }
}

/// The days as they are written, Monday first.
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Minutes since midnight as they are written.
pub(super) fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// How the device is powered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Power {
    /// It has no battery: what is about batteries does not concern it.
    #[default]
    Mains,
    /// It has one. What of it cannot be read is `None`.
    Battery(Battery),
}

/// What the sensors said. `None` = unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readings {
    /// Battery and charger.
    pub power: Power,
    /// The hottest of processor and board, in 1/1000 °C.
    pub temperature_milli_c: Option<i32>,
    /// Use of all cores, in 1/1000.
    pub cpu_permille: Option<u32>,
    /// Use of the memory, in 1/1000.
    pub memory_permille: Option<u32>,
}

impl Readings {
    /// From a sample. A phone has a battery, whether it can be read or not.
    #[must_use]
    pub fn of(now: &Capabilities) -> Self {
        let power = match now.battery {
            Some(battery) => Power::Battery(battery),
            None if now.platform == "android" => Power::Battery(Battery::default()),
            None => Power::Mains,
        };
        let used = |total: u64, available: u64| {
            let used = u128::from(total.saturating_sub(available)) * 1000;
            u32::try_from(used.checked_div(u128::from(total))?).ok()
        };
        let memory = now.memory_total_bytes.zip(now.memory_available_bytes);
        Self {
            power,
            temperature_milli_c: now.temperature_milli_c,
            cpu_permille: now.cpu_usage_permille,
            memory_permille: memory.and_then(|(total, available)| used(total, available)),
        }
    }
}
