//! What processes and the loopback have cost so far, read from `/proc`; the difference of two readings is what something cost.

use super::Result;
use serde_json::Value;
use std::fs;
use std::ops::Sub;

/// Sums over some processes, and what they say of themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Processor seconds, user and system (`/proc/PID/task/*/schedstat`).
    pub(crate) cpu_s: f64,
    /// How often a thread went to sleep and was woken (`voluntary_ctxt_switches` of `/proc/PID/task/*/status`).
    pub(crate) wakes: f64,
    /// Bytes of pages made to be written to disk (`write_bytes` of `/proc/PID/io`); 0 on a file system in memory.
    pub(crate) disk_bytes: f64,
    /// Syncs of the log, as the nodes say.
    pub(crate) syncs: f64,
    /// Frames queued for other nodes, as the nodes say.
    pub(crate) frames: f64,
    /// Their bytes, before encryption and headers.
    pub(crate) frame_bytes: f64,
    /// All bytes on the loopback of this network namespace, headers included (`/proc/net/dev`).
    pub(crate) wire_bytes: f64,
    /// Likewise packets.
    pub(crate) packets: f64,
}

impl Cost {
    /// What processes have cost so far.
    pub(crate) fn of(pids: &[u32]) -> Result<Self> {
        let mut cost = Self::default();
        for pid in pids {
            for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
                let thread = thread?.path();
                // A thread may end while its directory is read.
                let Ok(status) = fs::read_to_string(thread.join("status")) else { continue };
                cost.wakes += number(&status, "voluntary_ctxt_switches:").unwrap_or(0.0);
                let on_cpu = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
                let on_cpu: f64 = on_cpu.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0);
                cost.cpu_s += on_cpu / 1e9;
            }
            let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
            cost.disk_bytes += number(&io, "write_bytes:").ok_or("no write_bytes")?;
        }
        let net = fs::read_to_string("/proc/net/dev")?;
        let lo = net.lines().find_map(|line| line.trim().strip_prefix("lo:")).ok_or("no loopback")?;
        let lo: Vec<f64> = lo.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        (cost.wire_bytes, cost.packets) = (lo[0], lo[1]);
        Ok(cost)
    }

    /// Adds what a node says of itself in its answer to `/v1/cluster`.
    pub(crate) fn add_told(&mut self, status: &Value) {
        let told = |name: &str| status[name].as_f64().unwrap_or(0.0);
        self.syncs += told("disk_syncs");
        self.frames += told("frames_out");
        self.frame_bytes += told("frame_bytes_out");
    }
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            cpu_s: self.cpu_s - before.cpu_s,
            wakes: self.wakes - before.wakes,
            disk_bytes: self.disk_bytes - before.disk_bytes,
            syncs: self.syncs - before.syncs,
            frames: self.frames - before.frames,
            frame_bytes: self.frame_bytes - before.frame_bytes,
            wire_bytes: self.wire_bytes - before.wire_bytes,
            packets: self.packets - before.packets,
        }
    }
}

/// Memory of a process in MB (`VmRSS`).
pub(crate) fn rss_mb(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(number(&status, "VmRSS:").ok_or("no VmRSS")? / 1024.0)
}

/// The number behind a word at the beginning of a line.
fn number(text: &str, word: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    line.split_whitespace().next()?.parse().ok()
}
