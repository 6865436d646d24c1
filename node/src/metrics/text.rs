//! The figures in the text format of Prometheus (0.0.4). Every family is there also while it is zero, so that a rule about it can tell
//! "nothing" from "not known".

use super::MetricsReport;
use super::counts::{BOUNDS, Buckets};
use crate::blobs::BlobStats;
use std::fmt::{Display, Write};

/// States that a member can be in.
const STATES: [&str; 6] = ["idle", "working", "paused", "draining", "suspect", "dead"];
/// Statuses that a task ends with.
const ENDS: [&str; 4] = ["completed", "failed", "cancelled", "timeout"];

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{value}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.line(name, &[], value);
    }

    fn count(&mut self, name: &str, help: &str, value: u64) {
        self.one(name, "counter", help, value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.one(name, "gauge", help, value);
    }

    fn histogram(&mut self, name: &str, help: &str, buckets: &Buckets) {
        self.family(name, "histogram", help);
        let (bucket, mut sum) = (format!("{name}_bucket"), 0);
        let ends = BOUNDS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        for (end, count) in ends.zip(buckets.counts) {
            sum += count;
            self.line(&bucket, &[("le", &end)], sum);
        }
        self.line(&format!("{name}_sum"), &[], buckets.sum_us as f64 / 1e6);
        self.line(&format!("{name}_count"), &[], sum);
    }
}

/// The page.
#[must_use]
pub fn render(report: &MetricsReport, blobs: Option<BlobStats>) -> String {
    let mut page = Page(String::with_capacity(16 * 1024));
    let (counts, status) = (&report.counts, &report.status);
    let build = [("version", env!("CARGO_PKG_VERSION"))];
    page.family("rcnode_build_info", "gauge", "1, with the version that runs.");
    page.line("rcnode_build_info", &build, 1);
    page.gauge("rcnode_uptime_seconds", "Since this node started.", status.uptime_s);

    page.count("rcnode_tasks_accepted_total", "Tasks accepted by this device.", counts.accepted);
    page.family(
        "rcnode_tasks_ended_total",
        "counter",
        "Tasks that this device accepted and that have ended, by status.",
    );
    for word in ENDS {
        page.line("rcnode_tasks_ended_total", &[("status", word)], counts.ended.get(word).copied().unwrap_or(0));
    }
    let help = "Of tasks that this device accepted: from submission to the start of the attempt that counts.";
    page.histogram("rcnode_task_scheduling_delay_seconds", help, &counts.delay);
    let help = "Of tasks that this device accepted: scheduling delay and run of the attempt that counts.";
    page.histogram("rcnode_task_response_seconds", help, &counts.response);
    page.gauge("rcnode_tasks_open", "Tasks that this device keeps and that have not ended.", status.tasks_open);
    page.gauge("rcnode_tasks_kept", "Tasks that this device keeps.", status.tasks_kept);
    page.gauge("rcnode_tasks_resting", "Those of them that have ended and are on disk only.", status.tasks_resting);

    page.count("rcnode_leases_granted_total", "Leases that this device granted.", counts.leases);
    page.count("rcnode_attempts_started_total", "Attempts that began on this device.", counts.started);
    let help = "Attempts that are over on this device: completed, released, or the class of the error.";
    page.family("rcnode_attempts_ended_total", "counter", help);
    let attempts =
        counts.attempts.iter().flat_map(|(name, of)| of.iter().map(move |(what, count)| (name, what, count)));
    for (task_type, outcome, count) in attempts {
        page.line("rcnode_attempts_ended_total", &[("task_type", task_type), ("outcome", outcome)], count);
    }
    page.histogram("rcnode_attempt_run_seconds", "How long attempts ran on this device.", &counts.run);
    page.gauge("rcnode_attempts_running", "Attempts that run on this device.", status.running);
    page.gauge("rcnode_slots", "Attempts that may run on this device at once.", report.slots);
    let blocked = u8::from(!status.blocked.is_empty());
    page.gauge("rcnode_blocked", "1 if this device takes no work for the cluster now.", blocked);

    page.family("rcnode_peers", "gauge", "Members by the state in which this device sees them, itself included.");
    for state in STATES {
        page.line("rcnode_peers", &[("state", state)], report.peers.get(state).copied().unwrap_or(0));
    }
    page.gauge("rcnode_members", "Members that this device knows, itself included.", status.members);
    page.count(
        "rcnode_peers_heard_total",
        "Devices that this one heard for the first time or again.",
        counts.peers_heard,
    );
    page.count("rcnode_peers_lost_total", "Devices that this one gave up for lost.", counts.peers_lost);
    page.gauge("rcnode_synced", "1 if every keeper was asked since the last start or loss.", u8::from(status.synced));
    page.count("rcnode_alerts_total", "Things that a person should look at.", counts.alerts);

    let [out, came, lost] = report.gossip;
    page.count("rcnode_gossip_sent_total", "Gossip messages that went out.", out);
    page.count("rcnode_gossip_received_total", "Gossip messages that came in.", came);
    page.count("rcnode_gossip_dropped_total", "Gossip messages that were lost here.", lost);
    let [strangers, broken] = report.turned_away;
    page.family("rcnode_connections_refused_total", "counter", "Connections turned away.");
    page.line("rcnode_connections_refused_total", &[("reason", "not_a_member")], strangers);
    page.line("rcnode_connections_refused_total", &[("reason", "broken")], broken);
    page.family("rcnode_dropped_total", "counter", "What made no sense and was dropped.");
    for (what, count) in [
        ("message", report.bad_messages),
        ("input", report.dropped.dropped),
        ("fact", report.dropped.refused_facts),
        ("conflict", report.dropped.conflicts),
        ("lost_record", report.dropped.lost_records),
    ] {
        page.line("rcnode_dropped_total", &[("what", what)], count);
    }

    page.count("rcnode_spans_dropped_total", "Spans that the collector did not get.", report.spans_dropped);

    let text = "Alerts that the webhook did not take, or for which there was no room.";
    page.count("rcnode_alerts_unsent_total", text, report.alerts_unsent);

    let healthy = u8::from(status.storage_healthy);
    page.gauge("rcnode_storage_healthy", "1 if the disk takes new facts.", healthy);
    page.count("rcnode_storage_syncs_total", "Groups of writes made durable with one sync each.", status.disk_syncs);
    let blobs = blobs.unwrap_or_default();
    page.gauge("rcnode_blobs", "Blobs on this device.", blobs.usage.blobs);
    page.gauge("rcnode_blobs_bytes", "Their bytes, with what is under way.", blobs.usage.used);
    page.gauge("rcnode_blobs_bytes_max", "Room for them.", blobs.usage.bytes_max);
    page.gauge("rcnode_blobs_missing", "Blobs that records here name and that are not here.", blobs.missing);
    page.count("rcnode_blobs_fetched_total", "Blobs fetched from other devices.", blobs.fetched);

    let (memory, cpu) = process();
    if let Some(memory) = memory {
        page.gauge("rcnode_process_resident_memory_bytes", "Memory of the node's process.", memory);
    }
    if let Some(cpu) = cpu {
        page.one("rcnode_process_cpu_seconds_total", "counter", "Processor time of the node's process.", cpu);
    }
    page.0
}

/// Resident bytes and processor seconds of this process, where the system tells.
fn process() -> (Option<u64>, Option<f64>) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may have anything in it; in ticks of a hundredth of a second.
    let fields: Vec<_> = stat.rsplit_once(')').map_or_else(Vec::new, |(_, rest)| rest.split_whitespace().collect());
    let tick = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
    let cpu = tick(11).zip(tick(12)).map(|(user, system)| (user + system) / 100.0);
    (resident.map(|kib| kib * 1024), cpu)
}
