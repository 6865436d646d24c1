//! What a task asks of its sandbox: the object `sandbox` of its specification, sizes in bytes. What it asks for is held to on the
//! device that runs it, or that device is not given the task. Does not know what this device can hold.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::TaskLimits;

/// The names of what a device can hold a task to, as the device record carries them.
pub const NETWORK: &str = "network";
/// See [`NETWORK`].
pub const FILESYSTEM: &str = "filesystem";
/// See [`NETWORK`].
pub const FILE_SIZE: &str = "file_size";
/// See [`NETWORK`].
pub const MEMORY: &str = "memory";
/// See [`NETWORK`].
pub const CPU: &str = "cpu";

/// What a task asks. `None` is the rule of the device.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct SandboxAsk {
    /// Whether it may reach the network; `Some(false)` asks for being kept from it.
    pub allow_network: Option<bool>,
    /// Whether it may reach files; `Some(false)` asks for being kept from them.
    pub allow_filesystem: Option<bool>,
    /// Those that it asks for; without any, all that the owner lets tasks have.
    pub allowed_paths: Vec<PathBuf>,
    /// Largest file.
    #[serde(rename = "max_file_size")]
    pub file_bytes: Option<u64>,
    /// Longest run, seconds.
    #[serde(rename = "max_execution_time")]
    pub seconds: Option<f64>,
    /// Memory of all its processes together.
    #[serde(rename = "memory_limit")]
    pub memory_bytes: Option<u64>,
    /// Processor time, percent of one core.
    #[serde(rename = "cpu_limit")]
    pub cpu_percent: Option<f64>,
    /// Whether it asks to change files, not only to read them: its permission `write_files`.
    #[serde(skip)]
    pub writes: bool,
}

impl SandboxAsk {
    /// Reads what a specification carries for handlers. A text that makes no sense asks for nothing: whoever accepted the task
    /// has checked it.
    pub fn of(extra: &[u8]) -> Self {
        #[derive(Deserialize, Default)]
        struct Extra {
            #[serde(default)]
            sandbox: Option<SandboxAsk>,
        }
        let extra: Extra = serde_json::from_slice(extra).unwrap_or_default();
        extra.sandbox.unwrap_or_default()
    }

    /// Whether it asks for files beyond its own work directory.
    pub fn wants_files(&self) -> bool {
        self.allow_filesystem != Some(false) && (self.allow_filesystem == Some(true) || !self.allowed_paths.is_empty())
    }

    /// What a device must be able to hold the task to.
    pub fn needs(&self) -> Vec<&'static str> {
        let asked = [
            (NETWORK, self.allow_network == Some(false)),
            (FILESYSTEM, self.allow_filesystem == Some(false) || !self.allowed_paths.is_empty()),
            (FILE_SIZE, self.file_bytes.is_some()),
            (MEMORY, self.memory_bytes.is_some()),
            (CPU, self.cpu_percent.is_some()),
        ];
        asked.into_iter().filter(|(_, asked)| *asked).map(|(name, _)| name).collect()
    }

    /// The tighter of the limits asked for and those that are the rule.
    pub fn tighten(self, rule: TaskLimits) -> TaskLimits {
        let time = self.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        TaskLimits {
            timeout: time.map_or(rule.timeout, |time| rule.timeout.min(time)),
            memory_bytes_max: self.memory_bytes.into_iter().chain(rule.memory_bytes_max).min(),
            file_bytes_max: self.file_bytes.map_or(rule.file_bytes_max, |bytes| rule.file_bytes_max.min(bytes)),
            sandbox: self,
            ..rule
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_is_asked_for() {
        assert_eq!(SandboxAsk::of(b""), SandboxAsk::default());
        assert_eq!(SandboxAsk::of(br#"{"name":"x"}"#).needs(), Vec::<&str>::new());
        let all = SandboxAsk::of(
            br#"{"sandbox":{"allow_network":false,"allowed_paths":["/srv"],"max_file_size":7,"memory_limit":9,"cpu_limit":50}}"#,
        );
        assert_eq!(all.needs(), [NETWORK, FILESYSTEM, FILE_SIZE, MEMORY, CPU]);
        assert!(all.wants_files());
        let rule = TaskLimits { memory_bytes_max: Some(5), ..TaskLimits::default() };
        let limits = all.tighten(rule);
        assert_eq!((limits.memory_bytes_max, limits.file_bytes_max), (Some(5), 7));
        let free =
            SandboxAsk::of(br#"{"sandbox":{"allow_network":true,"allow_filesystem":false,"max_execution_time":1.5}}"#);
        assert_eq!((free.needs(), free.wants_files()), (vec![FILESYSTEM], false));
        assert_eq!(free.tighten(TaskLimits::default()).timeout, Duration::from_millis(1500));
    }
}
