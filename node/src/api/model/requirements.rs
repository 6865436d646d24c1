//! What a task needs from a device, as it is written in JSON: in from a request, and out again for `show`.

use super::number::{Invalid, count, scaled, scaled_u32, seconds, text, texts, word};
use super::request::WORD_BYTES_MAX;
use rc_scheduler::{DeviceId, Requirements, Role, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Bytes of one GB in `min_memory_gb` and `min_storage_gb`: 2^30, as memory is sold and as the older system counted.
pub const GB_BYTES: f64 = 1_073_741_824.0;

const CORES_MAX: f64 = 4_096.0;
const GB_MAX: f64 = 1_048_576.0;
const MBPS_MAX: f64 = 1_000_000.0;
const PPM_OF_PERCENT: f64 = 10_000.0;
const LIST_MAX: usize = 64;
const DEVICES_MAX: usize = 1_024;
const TIMEOUT_DEFAULT: Span = Span::from_secs(300);

/// All optional; `alias` is the second name that a field goes by.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RequirementsRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    min_cpu_cores: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_memory_gb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_storage_gb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_cpu_available: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required_platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required_arch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required_role: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required_tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_cpu_usage: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_memory_usage: Option<f64>,
    #[serde(alias = "gpu_required", skip_serializing_if = "core::ops::Not::not")]
    requires_gpu: bool,
    #[serde(alias = "internet_required", skip_serializing_if = "core::ops::Not::not")]
    requires_internet: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bandwidth_mbps: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    requires_sensors: Vec<String>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    exclusive: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) exclude_devices: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) only_devices: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_retries: Option<u32>,
}

impl RequirementsRequest {
    /// The longest run of one attempt.
    pub(super) fn timeout(&self) -> Result<Span, Invalid> {
        let given = seconds("requirements.timeout_seconds", self.timeout_seconds, true)?;
        Ok(given.unwrap_or(TIMEOUT_DEFAULT))
    }

    /// What it means; `device` finds the device that a text names.
    pub(super) fn resolve(self, device: &dyn Fn(&str) -> Result<DeviceId, String>) -> Result<Requirements, Invalid> {
        let gb = |field, value| scaled(field, value, GB_MAX, GB_BYTES);
        let percent = |field, value| scaled_u32(field, value, 100.0, PPM_OF_PERCENT);
        let role = |role: String| {
            let field = "requirements.required_role";
            word(field, &role, Role::ALL, Role::from_word, Role::word)
        };
        let words = |field, values| texts::<BTreeSet<_>>(field, values, LIST_MAX);
        Ok(Requirements {
            min_cpu_cores_milli: scaled_u32("requirements.min_cpu_cores", self.min_cpu_cores, CORES_MAX, 1_000.0)?,
            min_memory_bytes: gb("requirements.min_memory_gb", self.min_memory_gb)?,
            min_storage_bytes: gb("requirements.min_storage_gb", self.min_storage_gb)?,
            min_cpu_available_ppm: percent("requirements.min_cpu_available", self.min_cpu_available)?,
            required_platform: self.required_platform.map(platform).transpose()?,
            required_arch: self.required_arch.map(arch).transpose()?,
            required_role: self.required_role.map(role).transpose()?,
            required_tags: words("requirements.required_tags", self.required_tags)?,
            max_cpu_usage_ppm: percent("requirements.max_cpu_usage", self.max_cpu_usage)?,
            max_memory_usage_ppm: percent("requirements.max_memory_usage", self.max_memory_usage)?,
            requires_gpu: self.requires_gpu,
            requires_internet: self.requires_internet,
            bandwidth_kbps: scaled("requirements.bandwidth_mbps", self.bandwidth_mbps, MBPS_MAX, 1_000.0)?,
            requires_sensors: words("requirements.requires_sensors", self.requires_sensors)?,
            enforced: BTreeSet::new(),
            exclusive: self.exclusive,
            exclude_devices: devices("requirements.exclude_devices", &self.exclude_devices, device)?,
            only_devices: devices("requirements.only_devices", &self.only_devices, device)?,
        })
    }

    /// The other way: what a specification asks for, as it would be written.
    pub(super) fn describe(requirements: &Requirements, timeout: Span, name: &dyn Fn(DeviceId) -> String) -> Self {
        let percent = |ppm: u32| f64::from(ppm) / PPM_OF_PERCENT;
        let gb = |bytes: u64| bytes as f64 / GB_BYTES;
        let list = |words: &BTreeSet<String>| words.iter().cloned().collect();
        let devices = |ids: &BTreeSet<DeviceId>| ids.iter().map(|id| name(*id)).collect();
        Self {
            min_cpu_cores: requirements.min_cpu_cores_milli.map(|milli| f64::from(milli) / 1_000.0),
            min_memory_gb: requirements.min_memory_bytes.map(gb),
            min_storage_gb: requirements.min_storage_bytes.map(gb),
            min_cpu_available: requirements.min_cpu_available_ppm.map(percent),
            required_platform: requirements.required_platform.clone(),
            required_arch: requirements.required_arch.clone(),
            required_role: requirements.required_role.map(|role| role.word().to_owned()),
            required_tags: list(&requirements.required_tags),
            max_cpu_usage: requirements.max_cpu_usage_ppm.map(percent),
            max_memory_usage: requirements.max_memory_usage_ppm.map(percent),
            requires_gpu: requirements.requires_gpu,
            requires_internet: requirements.requires_internet,
            bandwidth_mbps: requirements.bandwidth_kbps.map(|kbps| kbps as f64 / 1_000.0),
            requires_sensors: list(&requirements.requires_sensors),
            exclusive: requirements.exclusive,
            exclude_devices: devices(&requirements.exclude_devices),
            only_devices: devices(&requirements.only_devices),
            timeout_seconds: Some(timeout.0 as f64 / 1_000_000.0),
            max_retries: None,
        }
    }
}

fn platform(value: String) -> Result<String, Invalid> {
    const KNOWN: [&str; 4] = ["linux", "android", "windows", "macos"];
    let lower = value.to_ascii_lowercase();
    let canonical = if lower == "darwin" { "macos" } else { &lower };
    word(
        "requirements.required_platform",
        canonical,
        &KNOWN,
        |text| KNOWN.into_iter().find(|known| *known == text),
        |known| known,
    )
    .map(str::to_owned)
}

fn arch(value: String) -> Result<String, Invalid> {
    let lower = text("requirements.required_arch", value.to_ascii_lowercase(), WORD_BYTES_MAX)?;
    Ok(match lower.as_str() {
        "arm64" => "aarch64".into(),
        "amd64" | "x64" => "x86_64".into(),
        _ => lower,
    })
}

fn devices(
    field: &str,
    names: &[String],
    device: &dyn Fn(&str) -> Result<DeviceId, String>,
) -> Result<BTreeSet<DeviceId>, Invalid> {
    count(field, names.len(), DEVICES_MAX)?;
    names.iter().map(|name| device(name).map_err(|why| Invalid::new(field, why))).collect()
}
