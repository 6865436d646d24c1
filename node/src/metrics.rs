//! This device's figures for a program that collects them (Prometheus): counted as things happen, written down when somebody asks.
//!
//! Each thing is counted by one device, so that sums over devices are true: a task by who accepted it, a lease by who granted it, an
//! attempt by who ran it. Base units; nothing that grows with the tasks is in a label.

mod counts;
mod text;

pub use counts::{Buckets, MetricCounts};
pub use text::render;

use crate::driver::NodeStatus;
use rc_scheduler::Counters;
use std::collections::BTreeMap;

/// Everything that is written down.
#[derive(Debug, Clone)]
pub struct MetricsReport {
    /// What was counted.
    pub counts: MetricCounts,
    /// How the node is.
    pub status: NodeStatus,
    /// Members by their state, this device included.
    pub peers: BTreeMap<&'static str, u64>,
    /// Tasks at once.
    pub slots: u32,
    /// What the core dropped.
    pub dropped: Counters,
    /// Frames and records that made no sense.
    pub bad_messages: u64,
    /// Spans that the collector did not get.
    pub spans_dropped: u64,
    /// Alerts that were dropped or given up.
    pub alerts_unsent: u64,
    /// Gossip messages: out, in, lost here.
    pub gossip: [u64; 3],
    /// Connections turned away: not members; anything else.
    pub turned_away: [u64; 2],
}
