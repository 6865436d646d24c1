//! Devices and this node, as they are shown. Unknown stays unknown: `null`, never a number.

use super::requirements::GB_BYTES;
use crate::driver::{NodeStatus, PeerReport};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A member.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are SPEC's, with the unit last")]
pub struct PeerView {
    pub id: String,
    pub name: String,
    pub role: Option<String>,
    pub platform: Option<String>,
    pub arch: Option<String>,
    /// `idle working paused draining suspect dead`.
    pub state: String,
    /// It is the device that was asked.
    pub me: bool,
    pub os_version: Option<String>,
    pub tags: Vec<String>,
    pub cpu_cores: Option<f64>,
    /// Percent.
    pub cpu_usage: Option<f64>,
    pub memory_total_gb: Option<f64>,
    pub memory_available_gb: Option<f64>,
    pub storage_total_gb: Option<f64>,
    pub storage_available_gb: Option<f64>,
    pub gpu: Option<bool>,
    pub sensors: Option<Vec<String>>,
    /// Percent.
    pub battery_level: Option<f64>,
    pub charging: Option<bool>,
    /// It is known not to live off a battery.
    #[serde(default)]
    pub mains: bool,
    pub temperature_c: Option<f64>,
    pub internet: Option<bool>,
    pub bandwidth_mbps: Option<f64>,
    /// Median round trip to its peers.
    pub latency_ms: Option<f64>,
    pub active_tasks: Option<u32>,
    pub queued_tasks: Option<u32>,
    pub max_concurrent_tasks: Option<u32>,
    pub task_types: Vec<String>,
    /// Types that it does not run, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lacks: BTreeMap<String, String>,
    pub permissions: Vec<String>,
    pub sandbox_level: Option<u8>,
    /// The limits of a task's sandbox that it can enforce on commands.
    pub enforces: Vec<String>,
    /// Why it takes no new work.
    pub blocked: Vec<String>,
    /// More about each of these, where there is more to say.
    pub blocked_why: BTreeMap<String, String>,
    pub incarnation: Option<String>,
    pub protocol: Option<u16>,
    pub heard_ms_ago: Option<u64>,
    pub address: Option<String>,
    /// It contradicts itself: two hosts run with its data directory, or it was put back to an older copy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub twins: bool,
}

/// This node and what it sees.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are those of the report")]
pub struct ClusterView {
    pub id: String,
    pub name: String,
    pub version: String,
    pub incarnation: String,
    pub synced: bool,
    pub listening: Vec<String>,
    pub peers_up: usize,
    pub members: usize,
    pub tasks_open: usize,
    pub tasks_kept: usize,
    pub running: usize,
    pub storage_healthy: bool,
    /// What the last start found cut or damaged on the disk.
    pub storage_found: Vec<String>,
    /// Why it takes no work for the cluster; empty if it does.
    pub blocked: Vec<String>,
    pub uptime_s: u64,
    pub disk_syncs: u64,
    pub frames_out: u64,
    pub frame_bytes_out: u64,
}

/// The terms of a score, 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are SPEC's")]
pub struct TermsView {
    pub cpu: f64,
    pub memory: f64,
    pub load: f64,
    pub network: f64,
    pub affinity: f64,
}

impl TermsView {
    /// From parts per million.
    #[must_use]
    pub fn new([cpu, memory, load, network, affinity]: [u32; 5]) -> Self {
        Self {
            cpu: unit(cpu),
            memory: unit(memory),
            load: unit(load),
            network: unit(network),
            affinity: unit(affinity),
        }
    }
}

/// Parts per million as a fraction of one.
pub(super) fn unit(ppm: u32) -> f64 {
    f64::from(ppm) / 1_000_000.0
}

fn list<T: ToString>(items: &BTreeSet<T>) -> Vec<String> {
    items.iter().map(T::to_string).collect()
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl PeerView {
    /// Why it takes no new work, in words.
    #[must_use]
    pub fn why_blocked(&self) -> String {
        let say = |by: &String| match self.blocked_why.get(by) {
            Some(why) => format!("{by}: {}", why.escape_debug()),
            None => by.clone(),
        };
        self.blocked.iter().map(say).collect::<Vec<_>>().join("; ")
    }

    /// A member as this device sees it.
    #[must_use]
    pub fn new(report: &PeerReport) -> Self {
        let id = report.id.to_string();
        let seen = Self {
            name: id.clone(),
            id,
            state: report.state.to_owned(),
            me: report.me,
            incarnation: report.incarnation.map(|incarnation| incarnation.to_string()),
            heard_ms_ago: report.heard_ms_ago,
            address: report.address.clone(),
            twins: report.twins,
            ..Self::default()
        };
        let Some(record) = &report.record else {
            return seen;
        };
        let gb = |bytes: u64| (bytes as f64 / GB_BYTES * 1_000.0).round() / 1_000.0;
        let percent = |ppm: u32| f64::from(ppm / 1_000) / 10.0;
        let capacity = &record.capacity;
        Self {
            name: given(&capacity.name).unwrap_or(seen.name),
            role: capacity.role.map(|role| role.word().to_owned()),
            platform: given(&capacity.platform),
            arch: given(&capacity.arch),
            os_version: given(&capacity.os_version),
            tags: list(&capacity.tags),
            cpu_cores: capacity.cpu_cores_milli.map(|milli| f64::from(milli) / 1_000.0),
            cpu_usage: capacity.cpu_usage_ppm.map(percent),
            memory_total_gb: capacity.memory_total_bytes.map(gb),
            memory_available_gb: capacity.memory_available_bytes.map(gb),
            storage_total_gb: capacity.storage_total_bytes.map(gb),
            storage_available_gb: capacity.storage_available_bytes.map(gb),
            gpu: capacity.gpu,
            sensors: capacity.sensors.as_ref().map(list),
            battery_level: capacity.battery_ppm.map(percent),
            charging: capacity.charging,
            mains: capacity.mains,
            temperature_c: capacity.temperature_milli_c.map(|milli| f64::from(milli) / 1_000.0),
            internet: capacity.internet,
            bandwidth_mbps: capacity.bandwidth_kbps.map(|kbps| kbps as f64 / 1_000.0),
            latency_ms: record.latency_us.map(|us| f64::from(us) / 1_000.0),
            active_tasks: Some(record.active_tasks),
            queued_tasks: Some(record.queued_tasks),
            max_concurrent_tasks: Some(capacity.max_concurrent_tasks),
            task_types: list(&capacity.task_types),
            lacks: capacity.lacks.iter().map(|(name, why)| (name.clone(), why.word().to_owned())).collect(),
            permissions: list(&capacity.permissions),
            sandbox_level: Some(capacity.sandbox_level),
            enforces: list(&capacity.enforces),
            blocked: list(&capacity.blocked),
            blocked_why: capacity.blocked_why.iter().map(|(by, why)| (by.to_string(), why.clone())).collect(),
            protocol: Some(record.protocol),
            incarnation: Some(record.incarnation.to_string()),
            ..seen
        }
    }
}

impl From<NodeStatus> for ClusterView {
    fn from(status: NodeStatus) -> Self {
        Self {
            id: status.id.to_string(),
            name: status.name,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: status.incarnation.to_string(),
            synced: status.synced,
            listening: status.listening,
            peers_up: status.peers_up,
            members: status.members,
            tasks_open: status.tasks_open,
            tasks_kept: status.tasks_kept,
            running: status.running,
            storage_healthy: status.storage_healthy,
            storage_found: status.storage_found,
            blocked: status.blocked,
            uptime_s: status.uptime_s,
            disk_syncs: status.disk_syncs,
            frames_out: status.frames_out,
            frame_bytes_out: status.frame_bytes_out,
        }
    }
}
