//! What would let a task go where it cannot go now: for each unmet requirement the smallest change of what the task asks, or when or
//! by whom the device's own reason ends.

use super::score::PPM;
use super::unmet::{GB_BYTES, Unmet};
use crate::device::{Blocked, DeviceRecord, WhyNot};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

/// What would take one obstacle away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// The task asks for something else: as flags of `submit`, or `without` one of them.
    Ask(String),
    /// It passes by itself at this time, milliseconds since 1970, by the clock of the device.
    At(u64),
    /// It passes by itself; nobody knows when. Until then, in words.
    When(&'static str),
    /// The device's owner does or says something, in words.
    Owner(String),
    /// Nothing.
    Never,
}

impl Unmet {
    /// What would take this obstacle away on the device of `record`.
    #[must_use]
    pub fn remedy(&self, record: &DeviceRecord) -> Remedy {
        let name = || match record.capacity.name.as_str() {
            "" => record.device.to_string(),
            name => name.escape_debug().to_string(),
        };
        let instead = |flag: &str, actual: Option<String>| {
            Remedy::Ask(actual.map_or_else(|| format!("without {flag}"), |actual| format!("{flag} {actual}")))
        };
        match self {
            Self::Unreachable => Remedy::When("it is heard again"),
            Self::Refused => Remedy::When("it says something new of itself"),
            Self::QueueFull { .. } => Remedy::When("its queue is shorter"),
            Self::Blocked { by, .. } => match (record.capacity.blocked_until_wall_ms.get(by), by) {
                (Some(until), _) => Remedy::At(*until),
                (None, Blocked::Paused) => Remedy::Owner(format!("rc-node peers resume {}", name())),
                (None, Blocked::Draining) => Remedy::Owner(format!("rc-node peers undrain {}", name())),
                (None, Blocked::Policy) => Remedy::When("its owner's policy lets it work"),
                (None, Blocked::Storage) => Remedy::When("its disk takes something new"),
                (None, Blocked::Busy) => Remedy::When("its processor has less to do"),
            },
            Self::TaskType { why: Some(WhyNot::NotBuilt | WhyNot::NotHere), .. } => Remedy::Never,
            Self::TaskType { needed, why: None } => {
                Remedy::Owner(format!("[handlers.{}] in its configuration", needed.escape_debug()))
            }
            Self::TaskType { needed, .. } => Remedy::Owner(format!("--allow {} there", needed.escape_debug())),
            Self::Permissions { missing } => Remedy::Owner(format!("--allow {} there", list(missing))),
            Self::Sandbox { missing, .. } => match missing.as_slice() {
                [only] if only == "cpu" => Remedy::Ask("without --cpu-limit".to_owned()),
                _ => Remedy::Never,
            },
            Self::ExcludeDevices => Remedy::Ask(format!("without --exclude-devices {}", name())),
            Self::OnlyDevices => Remedy::Ask(format!("--only-devices {}", name())),
            Self::MinCpuCores { actual_milli, .. } => {
                instead("--min-cpu-cores", positive(actual_milli.map(u64::from)).map(thousandths))
            }
            Self::MinMemory { actual_bytes, .. } => instead("--min-memory-gb", gb(*actual_bytes)),
            Self::MinStorage { actual_bytes, .. } => instead("--min-storage-gb", gb(*actual_bytes)),
            Self::MinCpuAvailable { actual_ppm, .. } => {
                instead("--min-cpu-available", positive(actual_ppm.map(|ppm| ppm / PERCENT)).map(|n| n.to_string()))
            }
            Self::RequiredPlatform { actual, .. } => {
                let actual = actual.as_deref().map(|name| if name == "darwin" { "macos" } else { name });
                instead("--required-platform", actual.map(|name| name.escape_debug().to_string()))
            }
            Self::RequiredArch { actual, .. } => {
                instead("--required-arch", actual.as_ref().map(|name| name.escape_debug().to_string()))
            }
            Self::RequiredRole { actual, .. } => instead("--required-role", actual.map(|role| role.word().to_owned())),
            Self::RequiredTags { missing } => Remedy::Ask(format!("without --required-tags {}", list(missing))),
            Self::MaxCpuUsage { actual_ppm, .. } => instead("--max-cpu-usage", percent_up(*actual_ppm)),
            Self::MaxMemoryUsage { actual_ppm, .. } => instead("--max-memory-usage", percent_up(*actual_ppm)),
            Self::RequiresGpu { .. } => Remedy::Ask("without --requires-gpu".to_owned()),
            Self::RequiresInternet { .. } => Remedy::Ask("without --requires-internet".to_owned()),
            Self::Bandwidth { actual_kbps, .. } => instead("--bandwidth-mbps", positive(*actual_kbps).map(thousandths)),
            Self::RequiresSensors { missing, .. } => {
                Remedy::Ask(format!("without --requires-sensors {}", list(missing)))
            }
        }
    }
}

/// Parts per million in one percent.
const PERCENT: u32 = PPM / 100;

fn positive<T: Default + PartialOrd>(amount: Option<T>) -> Option<T> {
    amount.filter(|amount| *amount > T::default())
}

/// Thousandths of a GB, rounded down: what is asked instead must be there.
fn gb(bytes: Option<u64>) -> Option<String> {
    let milli = bytes.map(|bytes| u128::from(bytes) * 1_000 / u128::from(GB_BYTES))?;
    u64::try_from(milli).ok().filter(|milli| *milli > 0).map(thousandths)
}

/// Whole percent, rounded up: what is asked instead must be enough.
fn percent_up(ppm: Option<u32>) -> Option<String> {
    ppm.map(|ppm| ppm.div_ceil(PERCENT).to_string())
}

/// As a decimal number without zeros at its end.
fn thousandths(milli: u64) -> String {
    let text = format!("{}.{:03}", milli / 1_000, milli % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn list(words: &[String]) -> String {
    let words: alloc::vec::Vec<_> = words.iter().map(|word| word.escape_debug().to_string()).collect();
    words.join(",")
}
