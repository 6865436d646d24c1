//! The flags that say what a task needs: each is a field of the request, by its own name.

use crate::api::model::GB_BYTES;
use crate::config::units;
use crate::trace::Traceparent;
use clap::Args;
use std::time::Duration;

fn duration(text: &str) -> Result<Duration, units::UnitError> {
    units::parse_duration(text)
}

fn size(text: &str) -> Result<u64, units::UnitError> {
    units::parse_size(text)
}

/// A size as the request has it: in units of 2^30 bytes; a number alone counts those.
fn gigabytes(text: &str) -> Result<f64, units::UnitError> {
    // Below 2^53, so the quotient by a power of two is exact.
    units::parse_size_in(text, GB_BYTES).map(|bytes| bytes as f64 / GB_BYTES)
}

/// What goes with a command.
#[derive(Args, Debug, Default, Clone)]
pub(in crate::cli) struct CommandFlags {
    /// Put this file into the command's directory before it starts, as NAME or under its own name; may be repeated
    #[arg(long = "in", value_name = "FILE[:NAME]", help_heading = "Files of a command")]
    pub(in crate::cli) ins: Vec<String>,
    /// Bring files back from the command's directory whose names match, e.g. '*.png' or '**/*.log'; may be repeated
    #[arg(long = "out", value_name = "GLOB", help_heading = "Files of a command")]
    pub(in crate::cli) outs: Vec<String>,
    /// What the command reads from its standard input; - is this program's
    #[arg(long, value_name = "FILE|-", help_heading = "Files of a command")]
    pub(in crate::cli) stdin: Option<String>,
    /// A variable for the command; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Files of a command")]
    pub(in crate::cli) env: Vec<String>,
}

#[derive(Args, Debug, Default, Clone)]
pub(in crate::cli) struct TaskFlags {
    /// urgent, high, normal, low or background
    #[arg(long, value_name = "WORD")]
    pub(in crate::cli) priority: Option<String>,
    /// A name for people
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// A label; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(in crate::cli) labels: Vec<String>,
    /// On whose behalf: of equal priority, those of different names take turns [default: the device]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) submitter: Option<String>,
    /// Your name for this request: sent again with the same key, it is the same task
    #[arg(long, value_name = "KEY")]
    pub(in crate::cli) idempotency_key: Option<String>,
    /// The trace that it shall be a part of, as W3C trace context [env: RC_TRACEPARENT]
    #[arg(long, value_name = "00-TRACE-SPAN-FLAGS")]
    pub(in crate::cli) traceparent: Option<Traceparent>,
    /// Longest run of one attempt, e.g. 90s [default: 300s]
    #[arg(long, visible_alias = "timeout-seconds", value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) timeout: Option<Duration>,

    /// Processor cores
    #[arg(long, value_name = "N", help_heading = "Requirements")]
    pub(in crate::cli) min_cpu_cores: Option<f64>,
    /// Free memory, e.g. 512MiB; a number alone is GB
    #[arg(long, visible_alias = "min-memory", value_name = "SIZE", value_parser = gigabytes, help_heading = "Requirements")]
    pub(in crate::cli) min_memory_gb: Option<f64>,
    /// Free storage, e.g. 20GB; a number alone is GB
    #[arg(long, visible_alias = "min-storage", value_name = "SIZE", value_parser = gigabytes, help_heading = "Requirements")]
    pub(in crate::cli) min_storage_gb: Option<f64>,
    /// Idle processor share
    #[arg(long, value_name = "PERCENT", help_heading = "Requirements")]
    pub(in crate::cli) min_cpu_available: Option<f64>,
    /// linux, android, windows or macos
    #[arg(long, visible_alias = "platform", value_name = "NAME", help_heading = "Requirements")]
    pub(in crate::cli) required_platform: Option<String>,
    /// x86_64, aarch64, armv7, …
    #[arg(long, visible_alias = "arch", value_name = "NAME", help_heading = "Requirements")]
    pub(in crate::cli) required_arch: Option<String>,
    /// worker, compute, storage or mobile
    #[arg(long, visible_alias = "role", value_name = "ROLE", help_heading = "Requirements")]
    pub(in crate::cli) required_role: Option<String>,
    /// Tags that the device must all have
    #[arg(long, visible_aliases = ["required-tag", "tag"], value_name = "TAG", value_delimiter = ',', help_heading = "Requirements")]
    pub(in crate::cli) required_tags: Vec<String>,
    /// Processor use at placement, at most
    #[arg(long, value_name = "PERCENT", help_heading = "Requirements")]
    pub(in crate::cli) max_cpu_usage: Option<f64>,
    /// Memory use at placement, at most
    #[arg(long, value_name = "PERCENT", help_heading = "Requirements")]
    pub(in crate::cli) max_memory_usage: Option<f64>,
    /// A graphics processor
    #[arg(long, visible_alias = "gpu", help_heading = "Requirements")]
    pub(in crate::cli) requires_gpu: bool,
    /// A way to the internet
    #[arg(long, visible_alias = "internet", help_heading = "Requirements")]
    pub(in crate::cli) requires_internet: bool,
    /// Bandwidth
    #[arg(long, value_name = "MBPS", help_heading = "Requirements")]
    pub(in crate::cli) bandwidth_mbps: Option<f64>,
    /// Sensors that the device must all have, e.g. gps,camera
    #[arg(long, visible_alias = "sensor", value_name = "NAME", value_delimiter = ',', help_heading = "Requirements")]
    pub(in crate::cli) requires_sensors: Vec<String>,
    /// Nothing else runs beside it
    #[arg(long, help_heading = "Requirements")]
    pub(in crate::cli) exclusive: bool,
    /// Never on these devices
    #[arg(
        long,
        visible_alias = "exclude-device",
        value_name = "DEVICE",
        value_delimiter = ',',
        help_heading = "Requirements"
    )]
    pub(in crate::cli) exclude_devices: Vec<String>,
    /// Only on these devices
    #[arg(
        long,
        visible_alias = "only-device",
        value_name = "DEVICE",
        value_delimiter = ',',
        help_heading = "Requirements"
    )]
    pub(in crate::cli) only_devices: Vec<String>,
    /// Permissions that the device's owner must grant: read_files, write_files, network_access, system_commands
    #[arg(
        long,
        visible_alias = "permission",
        value_name = "NAME",
        value_delimiter = ',',
        help_heading = "Requirements"
    )]
    pub(in crate::cli) required_permissions: Vec<String>,

    /// Let it reach the network, if the device's owner grants network_access; `=false` asks for a device that can keep it from it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Sandbox")]
    pub(in crate::cli) allow_network: Option<bool>,
    /// Let it reach the files that the device's owner grants; `=false` asks for a device that can keep it from them
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Sandbox")]
    pub(in crate::cli) allow_filesystem: Option<bool>,
    /// Only these of the granted files; to change them, too: --required-permissions write_files
    #[arg(long, visible_alias = "allowed-path", value_name = "PATH", value_delimiter = ',', help_heading = "Sandbox")]
    pub(in crate::cli) allowed_paths: Vec<String>,
    /// Largest file that it may write, e.g. 10MB [default: 100MB]
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Sandbox")]
    pub(in crate::cli) max_file_size: Option<u64>,
    /// Longest run, if that is shorter than the timeout
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Sandbox")]
    pub(in crate::cli) max_execution_time: Option<Duration>,
    /// Memory of all its processes, e.g. 512MiB
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Sandbox")]
    pub(in crate::cli) memory_limit: Option<u64>,
    /// Processor time, 100 being one core; only devices that can enforce it take the task
    #[arg(long, value_name = "PERCENT", help_heading = "Sandbox")]
    pub(in crate::cli) cpu_limit: Option<f64>,

    /// Attempts after the first [default: 3]
    #[arg(long, value_name = "N", help_heading = "Retries")]
    pub(in crate::cli) max_retries: Option<u32>,
    /// exponential, linear or fixed [default: exponential]
    #[arg(long, visible_alias = "backoff", value_name = "WORD", help_heading = "Retries")]
    pub(in crate::cli) backoff_strategy: Option<String>,
    /// The first wait [default: 2s]
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Retries")]
    pub(in crate::cli) base_delay: Option<Duration>,
    /// The longest wait [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Retries")]
    pub(in crate::cli) max_delay: Option<Duration>,
    /// Errors that are tried again, e.g. task_error,network_error [default: those that may pass]
    #[arg(long, value_name = "CLASS", value_delimiter = ',', help_heading = "Retries")]
    pub(in crate::cli) retry_on: Vec<String>,
    /// Let an attempt that takes far longer than others of its type get a copy on another device; the first result counts. For
    /// what may run twice at once
    #[arg(long, help_heading = "Retries")]
    pub(in crate::cli) speculative: bool,
    /// Running it twice at once does no harm, whatever its type
    #[arg(long, help_heading = "Retries")]
    pub(in crate::cli) idempotent: bool,
    /// Devices that may crash with it before it is given up, 1 to 8; 0 is any number [default: 3]
    #[arg(long, value_name = "N", help_heading = "Retries")]
    pub(in crate::cli) crash_limit: Option<u32>,
}
