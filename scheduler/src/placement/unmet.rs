//! What keeps a task from a device, as a value and as the line that a person reads.

use crate::device::{Blocked, WhyNot};
use crate::task::{Reason, Role};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Display};

/// What `gb` means in `min_memory_gb` and `min_storage_gb`: 2^30 bytes, as system monitors count.
pub const GB_BYTES: u64 = 1 << 30;

/// One requirement, or one rule of a device's owner, that is not met. An `actual` of `None` is unknown.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are SPEC's, with the unit last")]
pub enum Unmet {
    /// The placing device does not hear it.
    Unreachable,
    /// It gave this very task back, and has not said anything new since.
    Refused,
    /// It takes no new work.
    Blocked {
        by: Blocked,
        /// More about it; may be empty.
        why: String,
    },
    /// Too many leases wait there.
    QueueFull {
        limit: u32,
        queued: u32,
    },
    /// Its owner does not let it run this type, or it has no handler for it. `why` as it says itself.
    TaskType {
        needed: String,
        why: Option<WhyNot>,
    },
    /// Its owner does not grant these.
    Permissions {
        missing: Vec<String>,
    },
    /// It cannot hold the task to what the task's sandbox asks for.
    Sandbox {
        missing: Vec<String>,
        level: u8,
    },
    /// The task says not there.
    ExcludeDevices,
    /// The task says where, and it is not there.
    OnlyDevices,
    MinCpuCores {
        needed_milli: u32,
        actual_milli: Option<u32>,
    },
    /// `total_bytes` tells a device that is busy from one that is too small.
    MinMemory {
        needed_bytes: u64,
        actual_bytes: Option<u64>,
        total_bytes: Option<u64>,
    },
    MinStorage {
        needed_bytes: u64,
        actual_bytes: Option<u64>,
    },
    MinCpuAvailable {
        needed_ppm: u32,
        actual_ppm: Option<u32>,
    },
    RequiredPlatform {
        needed: String,
        actual: Option<String>,
    },
    RequiredArch {
        needed: String,
        actual: Option<String>,
    },
    RequiredRole {
        needed: Role,
        actual: Option<Role>,
    },
    RequiredTags {
        missing: Vec<String>,
    },
    MaxCpuUsage {
        max_ppm: u32,
        actual_ppm: Option<u32>,
    },
    MaxMemoryUsage {
        max_ppm: u32,
        actual_ppm: Option<u32>,
    },
    RequiresGpu {
        actual: Option<bool>,
    },
    RequiresInternet {
        actual: Option<bool>,
    },
    Bandwidth {
        needed_kbps: u64,
        actual_kbps: Option<u64>,
    },
    /// With sensors unknown all that are needed are missing.
    RequiresSensors {
        missing: Vec<String>,
        known: bool,
    },
}

impl Unmet {
    /// How far a device is from what a task asks, by all that it does not meet; the nearest tells best what is missing. That is one
    /// that the task itself does not leave out, then one that is heard, then the one that fails the fewest requirements.
    #[must_use]
    pub fn distance(unmet: &[Self]) -> impl Ord + use<> {
        let left_out = unmet.iter().any(|unmet| matches!(unmet, Self::ExcludeDevices | Self::OnlyDevices));
        (left_out, unmet.contains(&Self::Unreachable), unmet.len())
    }

    /// The word that a task which waits only for this is shown with: [`Reason::Resources`] for what passes by itself when the
    /// device is less busy, [`Reason::NoEligibleDevice`] for what the device is or lacks.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Blocked { by: Blocked::Paused | Blocked::Policy, .. } => Reason::DevicePaused,
            Self::Blocked { by: Blocked::Draining, .. } => Reason::Draining,
            Self::QueueFull { .. } => Reason::QueueFull,
            Self::Refused
            | Self::Blocked { by: Blocked::Busy, .. }
            | Self::MaxCpuUsage { actual_ppm: Some(_), .. }
            | Self::MaxMemoryUsage { actual_ppm: Some(_), .. } => Reason::Resources,
            Self::MinCpuAvailable { needed_ppm, actual_ppm: Some(_) } if *needed_ppm <= super::PPM => Reason::Resources,
            Self::MinMemory { needed_bytes, actual_bytes: Some(_), total_bytes: Some(total) }
                if needed_bytes <= total =>
            {
                Reason::Resources
            }
            _ => Reason::NoEligibleDevice,
        }
    }
}

impl Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("not reachable"),
            Self::Refused => f.write_str("gave this task back"),
            Self::Blocked { by, why } => blocked(f, *by, why),
            Self::QueueFull { limit, queued } => write!(f, "queue full: {queued} of {limit} wait"),
            Self::TaskType { needed, why } => {
                let why = match why {
                    Some(WhyNot::NotBuilt) => "is not in the device's program",
                    Some(WhyNot::NotHere) => "is not possible on the device's system",
                    Some(WhyNot::NotAllowed) => "is not allowed by the device's owner",
                    None => "is unknown to the device",
                };
                write!(f, "task type {} {why}", needed.escape_debug())
            }
            Self::Permissions { missing } => {
                write!(f, "required_permissions {}: not granted by the device's owner", List(missing))
            }
            Self::Sandbox { missing, level } => {
                write!(f, "sandbox: cannot enforce {} here (level {level})", List(missing))
            }
            Self::ExcludeDevices => f.write_str("exclude_devices names it"),
            Self::OnlyDevices => f.write_str("only_devices does not name it"),
            Self::MinCpuCores { needed_milli: needed, actual_milli: actual } => {
                line(f, "min_cpu_cores", milli(*needed), ">", actual.map(milli), "")
            }
            Self::MinMemory { needed_bytes: needed, actual_bytes: actual, .. } => {
                bytes(f, "min_memory_gb", *needed, *actual)
            }
            Self::MinStorage { needed_bytes: needed, actual_bytes: actual } => {
                bytes(f, "min_storage_gb", *needed, *actual)
            }
            Self::MinCpuAvailable { needed_ppm: needed, actual_ppm: actual } => {
                line(f, "min_cpu_available", Percent(*needed), ">", actual.map(Percent), "")
            }
            Self::RequiredPlatform { needed, actual } => texts(f, "required_platform", needed, actual.as_deref()),
            Self::RequiredArch { needed, actual } => texts(f, "required_arch", needed, actual.as_deref()),
            Self::RequiredRole { needed, actual } => {
                texts(f, "required_role", needed.word(), actual.as_ref().map(|role| role.word()))
            }
            Self::RequiredTags { missing } => write!(f, "required_tags {}: no", List(missing)),
            Self::MaxCpuUsage { max_ppm: max, actual_ppm: actual } => {
                line(f, "max_cpu_usage", Percent(*max), "<", actual.map(Percent), "")
            }
            Self::MaxMemoryUsage { max_ppm: max, actual_ppm: actual } => {
                line(f, "max_memory_usage", Percent(*max), "<", actual.map(Percent), "")
            }
            Self::RequiresGpu { actual } => write!(f, "requires_gpu: {}", no(actual.is_some())),
            Self::RequiresInternet { actual } => {
                write!(f, "requires_internet: {}", no(actual.is_some()))
            }
            Self::Bandwidth { needed_kbps: needed, actual_kbps: actual } => {
                line(f, "bandwidth_mbps", milli(*needed), ">", actual.map(milli), "")
            }
            Self::RequiresSensors { missing, known } => {
                write!(f, "requires_sensors {}: {}", List(missing), no(*known))
            }
        }
    }
}

fn blocked(f: &mut fmt::Formatter<'_>, by: Blocked, why: &str) -> fmt::Result {
    f.write_str(match by {
        Blocked::Paused => "paused by its owner",
        Blocked::Draining => "draining",
        Blocked::Policy if why.is_empty() => "held back by its owner's policy",
        Blocked::Policy => "paused",
        Blocked::Storage => "its disk takes nothing new",
        Blocked::Busy => "too busy",
    })?;
    match (by, why.is_empty()) {
        (_, true) => Ok(()),
        // A peer wrote it; a terminal shall not obey it.
        (Blocked::Paused, _) => write!(f, " {}", why.escape_debug()),
        _ => write!(f, ": {}", why.escape_debug()),
    }
}

/// `name needed sign actual`, or `name needed: unknown`.
fn line<T: Display>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    needed: T,
    sign: &str,
    actual: Option<T>,
    noun: &str,
) -> fmt::Result {
    match actual {
        Some(actual) => write!(f, "{name} {needed} {sign} {actual}{noun}"),
        None => write!(f, "{name} {needed}: unknown"),
    }
}

fn texts(f: &mut fmt::Formatter<'_>, name: &str, needed: &str, actual: Option<&str>) -> fmt::Result {
    // Peers and users write these; a terminal shall not obey them.
    let actual = actual.map(str::escape_debug);
    line(f, name, needed.escape_debug(), "≠", actual, "")
}

fn bytes(f: &mut fmt::Formatter<'_>, name: &str, needed: u64, actual: Option<u64>) -> fmt::Result {
    // Three digits are enough to read, unless they make a shortage of a few bytes look like none; ten tell any two counts apart.
    let digits = if actual.is_some_and(|actual| gb(actual, 3) == gb(needed, 3)) { 10 } else { 3 };
    let actual = actual.map(|actual| gb(actual, digits));
    line(f, name, gb(needed, digits), ">", actual, " available")
}

const fn no(known: bool) -> &'static str {
    if known { "no" } else { "unknown" }
}

/// A number and how many of its digits stand behind the point; zeros at the end are left out.
#[derive(Clone, Copy, PartialEq)]
struct Decimal {
    value: u128,
    digits: u32,
}

fn milli(value: impl Into<u64>) -> Decimal {
    Decimal { value: u128::from(value.into()), digits: 3 }
}

/// Rounded down.
fn gb(bytes: u64, digits: u32) -> Decimal {
    Decimal { value: u128::from(bytes) * 10_u128.pow(digits) / u128::from(GB_BYTES), digits }
}

impl Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u128.pow(self.digits);
        write!(f, "{}", self.value / unit)?;
        let mut fraction = self.value % unit;
        if fraction == 0 {
            return Ok(());
        }
        let mut width = self.digits as usize;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        write!(f, ".{fraction:0width$}")
    }
}

/// Parts per million, written in percent.
struct Percent(u32);

impl Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = Decimal { value: self.0.into(), digits: 4 };
        write!(f, "{value} %")
    }
}

struct List<'a>(&'a [String]);

impl Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, text) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{}", text.escape_debug())?;
        }
        Ok(())
    }
}
