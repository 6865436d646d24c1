//! The only place of the node that reads a clock: everything else is handed the time.

use crate::policy::Moment;
use rc_scheduler::{Mono, Now};
use std::time::{SystemTime, UNIX_EPOCH};

/// Both clocks, now.
#[must_use]
pub fn now() -> Now {
    Now { mono: mono(), wall_ms: wall_ms() }
}

/// Both clocks, with the time of day, for the owner's policy.
#[must_use]
pub fn moment() -> Moment {
    let Now { mono, wall_ms } = now();
    Moment { mono, wall_ms, ahead_s: ahead_of_utc_s() }
}

/// Runs during suspend too, so that a device that slept knows for how long.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn mono() -> Mono {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Mono(seconds * 1_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000)
}

/// Elsewhere the best there is; a device that slept may take its peers' word for it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn mono() -> Mono {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    let since = START.get_or_init(Instant::now).elapsed();
    // Not zero at the start: the core takes that for "never".
    Mono(1_000_000 + u64::try_from(since.as_micros()).unwrap_or(u64::MAX / 2))
}

/// Milliseconds since 1970 as the device believes; 0 if it believes to be before that.
fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// How far the time where the device is runs ahead of UTC, seconds; 0 if nobody knows where it is.
fn ahead_of_utc_s() -> i32 {
    let now = jiff::Timestamp::now();
    jiff::tz::TimeZone::system().to_offset(now).seconds()
}
