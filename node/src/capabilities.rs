//! What this device is and how it does at the moment: its part of the record that peers place tasks by.
//!
//! Integers only, so that every peer computes the same from them. `None` is unknown: a probe that fails, is forbidden
//! (on phones many are) or gives nonsense leaves the field unknown and never a wrong number. Does not know the tasks,
//! the cluster, or the owner's policy.

#[cfg(any(target_os = "linux", target_os = "android", test))]
mod cgroup;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod foreign;
mod hardware;
#[cfg(any(target_os = "macos", test))]
mod macos;
#[cfg(any(target_os = "linux", target_os = "android", test))]
mod network;
mod platform;
#[cfg(any(target_os = "linux", target_os = "android", test))]
mod power;
#[cfg(any(target_os = "linux", target_os = "android", test))]
mod proc;
mod sampler;
#[cfg(any(target_os = "linux", target_os = "android", test))]
mod termux;
#[cfg(any(windows, test))]
mod windows;

pub use sampler::Sampler;

use std::path::PathBuf;

use serde::Serialize;

/// One device, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Capabilities {
    /// Host name.
    pub name: Option<String>,
    /// `linux`, `android` (Termux included), `windows`, `macos`, else what the compiler calls it.
    pub platform: String,
    /// `x86_64`, `aarch64`, `armv7`, `armv6`, `i686`, else what the compiler calls it.
    pub arch: String,
    /// For people, e.g. `Debian GNU/Linux 12 (bookworm)`.
    pub os_version: Option<String>,
    /// Cores this process may use, also by its control group.
    pub cpu_cores: u32,
    /// Of all cores, in 1/1000, over the time since the sample before.
    pub cpu_usage_permille: Option<u32>,
    /// Load average over a minute, in 1/1000.
    pub load_1m_milli: Option<u32>,
    /// Bytes; no more than the control group allows.
    pub memory_total_bytes: Option<u64>,
    /// Bytes that could be had without swapping; no more than the control group has left.
    pub memory_available_bytes: Option<u64>,
    /// Bytes of the file system with the data directory.
    pub storage_total_bytes: Option<u64>,
    /// Bytes of it that this user can have.
    pub storage_available_bytes: Option<u64>,
    /// Maker or driver of the graphics processor; [`NO_GPU`] = there is none.
    pub gpu: Option<String>,
    /// Kinds of sensors found, in order of name: `accelerometer`, `camera`, `gps`, …
    pub sensors: Option<Vec<String>>,
    /// `None` = no battery found.
    pub battery: Option<Battery>,
    /// The system was asked, and says that there is none.
    #[serde(skip)]
    pub no_battery: bool,
    /// The hottest of processor and board, in 1/1000 °C.
    pub temperature_milli_c: Option<i32>,
    /// Whether the Internet can be reached. `Some(false)` = there is no route at all; that there is one proves nothing.
    pub internet: Option<bool>,
    /// What the link of the default route can carry, as its driver says; what is behind it may carry less.
    pub bandwidth_kbps: Option<u64>,
    /// How well commands are isolated here; 0 = limits and a process group only.
    pub sandbox_level: u8,
}

/// In place of a graphics processor's name.
pub const NO_GPU: &str = "none";

/// The battery, or all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Battery {
    /// 0 to 100.
    pub level_percent: Option<u8>,
    /// Whether external power is connected.
    pub charging: Option<bool>,
    /// Whether its charger does not fill it any further: at 100 %, or at a limit that somebody set.
    pub full: Option<bool>,
    /// In 1/1000 °C.
    pub temperature_milli_c: Option<i32>,
}

/// Where the kernel tells things. Tests put fixtures there.
#[derive(Debug, Clone)]
struct Roots {
    proc: PathBuf,
    sys: PathBuf,
    etc: PathBuf,
    /// Where the system's helper programs are; `None` = where the shell finds them.
    bin: Option<PathBuf>,
}

/// A directory with `proc`, `sys`, `etc` and `bin` in it, in place of the system's own: to try out what a device does whose battery runs
/// low or whose files are forbidden, with everything but the files themselves.
const ROOT_VARIABLE: &str = "RC_NODE_SENSORS";

impl Roots {
    /// The system's, or those that the environment names.
    fn of_environment() -> Self {
        match std::env::var_os(ROOT_VARIABLE).filter(|root| !root.is_empty()) {
            Some(root) => {
                tracing::warn!(root = %root.display(), "sensors are read from a made-up directory ({ROOT_VARIABLE})");
                Self::below(std::path::Path::new(&root))
            }
            None => Self { bin: None, ..Self::below(std::path::Path::new("/")) },
        }
    }

    fn below(root: &std::path::Path) -> Self {
        let [proc, sys, etc, bin] = ["proc", "sys", "etc", "bin"].map(|dir| root.join(dir));
        Self { proc, sys, etc, bin: Some(bin) }
    }
}

/// The start of a small text file of the kernel, without space at its ends. `None` if it cannot be read for any reason.
fn read_text(path: impl AsRef<std::path::Path>) -> Option<String> {
    use std::io::Read;
    /// `/proc/stat` of a machine with very many cores is longer; what is used of it stands at the beginning.
    const TEXT_BYTES_MAX: u64 = 64 * 1024;
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(TEXT_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// A file with one integer in it.
#[cfg(any(target_os = "linux", target_os = "android", test))]
fn read_number<T: std::str::FromStr>(path: impl AsRef<std::path::Path>) -> Option<T> {
    read_text(path)?.parse().ok()
}

/// The entries of a directory in order of name; none if it cannot be read.
fn entries(path: impl AsRef<std::path::Path>) -> Vec<PathBuf> {
    /// No class of devices has more; a fault in the kernel's tree must not make this grow.
    const ENTRIES_MAX: usize = 1024;
    let found = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut found: Vec<_> = found.take(ENTRIES_MAX).map(|entry| entry.path()).collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod devices;
#[cfg(test)]
mod fixture;
