//! Owners and their devices: work leaves a device when its owner or its battery says so, and goes on elsewhere.

use crate::device::Device;
use crate::trio::{PATIENCE, address, device};
use crate::wait::until;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Two nodes that read a battery from files, and where those are. Nodes go first.
struct Pair {
    nodes: Vec<Device>,
    dir: TempDir,
}

const NAMES: [&str; 2] = ["attic", "barn"];

impl Pair {
    /// Each with a battery of 80 %, which falls.
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut pair = Self { nodes: Vec::new(), dir };
        for name in NAMES {
            pair.battery(name, 80);
            fs::write(pair.supply(name).join("type"), "Battery").expect("a file");
            fs::write(pair.supply(name).join("status"), "Discharging").expect("a file");
            // Only the node has these sensors; the process keeps its number when it becomes the node.
            let (pid, sensors) = (pair.pid_file(name), pair.sensors(name));
            let script = format!(
                "case \"$2\" in run) echo $$ > '{}'; unset RC_NODE_POLICY; export RC_NODE_SENSORS='{}';; esac; exec \"$@\"",
                pid.display(),
                sensors.display()
            );
            let flags = device(&pair.dir, name, &[]).flags.clone();
            let mut node = Device::new(pair.dir.path(), name, &["sh", "-c", &script, "sh"]);
            node.flags = flags;
            pair.nodes.push(node);
        }
        pair.nodes[0].start();
        let (ticket, peer) = (pair.nodes[0].ticket(), address(&pair.nodes[0]));
        pair.nodes[1].join(&ticket);
        pair.nodes[1].flags.extend(["--peer".to_owned(), peer]);
        pair.nodes[1].start();
        for node in &pair.nodes {
            until("both see both", PATIENCE, || {
                let seen = node.sees();
                if seen.len() == NAMES.len() { Ok(()) } else { Err(format!("{} sees {seen:?}", node.name)) }
            });
        }
        pair
    }

    fn sensors(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("sensors-{name}"))
    }

    fn supply(&self, name: &str) -> PathBuf {
        self.sensors(name).join("sys/class/power_supply/BAT0")
    }

    fn pid_file(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.pid"))
    }

    /// Charges or empties a battery.
    fn battery(&self, name: &str, percent: u8) {
        fs::create_dir_all(self.supply(name)).expect("a directory");
        fs::write(self.supply(name).join("capacity"), percent.to_string()).expect("a file");
    }

    /// Waits until a task runs, and returns the index of the node that runs it and how often it was leased.
    fn runner(&self, id: &str, leases: usize) -> usize {
        let (at, _) = until("it runs", PATIENCE, || {
            let shown = self.nodes[0].show(id).or_else(|_| self.nodes[1].show(id))?;
            let attempts = shown["attempts"].as_array().map_or(0, Vec::len);
            let at = NAMES.iter().position(|name| shown["device"] == *name);
            match at {
                Some(at) if attempts >= leases && shown["status"] == "running" => Ok(at),
                _ => Err(format!("{shown:#}")),
            }
        });
        at
    }

    /// What `asked` says of a device.
    fn peer(&self, asked: usize, of: usize) -> Value {
        let peers = self.nodes[asked].json(&["peers"]);
        let found = peers.as_array().expect("a list").iter().find(|peer| peer["name"] == NAMES[of]);
        found.cloned().unwrap_or_default()
    }

    fn until_state(&self, asked: usize, of: usize, state: &str) -> Value {
        let (peer, _) = until(&format!("{} is {state}", NAMES[of]), PATIENCE, || {
            let peer = self.peer(asked, of);
            if peer["state"] == state { Ok(peer) } else { Err(format!("{peer:#}")) }
        });
        peer
    }
}

/// The task ended well, elsewhere, and what was given up was nobody's fault.
fn moved(result: &Value, shown: &Value, from: usize) {
    assert_eq!((&result["status"], &result["device"]), (&"completed".into(), &NAMES[1 - from].into()), "{shown:#}");
    assert_eq!(shown["attempts"][0]["outcome"], "preempted", "{shown:#}");
    assert_eq!(result["attempt"], 1, "it used no attempt: {result:#}");
}

#[test]
fn a_battery_that_runs_low_sends_work_elsewhere() {
    let pair = Pair::start();
    let id = pair.nodes[0].submit(&["sleep", "-p", "duration=6"]);
    let from = pair.runner(&id, 1);
    pair.battery(NAMES[from], 34);
    assert_eq!(pair.runner(&id, 2), 1 - from);
    let low = "battery 34 % (min 40 %), resumes at 60 %";
    let peer = pair.until_state(1 - from, from, "paused");
    assert_eq!(peer["blocked_why"]["policy"], low, "{peer:#}");
    let explained = pair.nodes[1 - from].json(&["explain", &id]);
    let row = explained["rows"].as_array().expect("rows").iter().find(|row| row["device"] == NAMES[from]);
    assert_eq!(row.expect("a row")["unmet"], serde_json::json!([format!("paused: {low}")]), "{explained:#}");
    let result = pair.nodes[from].result(&id, PATIENCE);
    moved(&result, &pair.nodes[from].show(&id).expect("it is known"), from);

    let policy = || pair.nodes[from].json(&["policy", "show"]);
    pair.battery(NAMES[from], 60);
    until("it works again", PATIENCE * 2, || {
        let shown = policy();
        if shown["state"] == "working" { Ok(()) } else { Err(format!("{shown:#}")) }
    });
    pair.until_state(1 - from, from, "idle");
}

#[test]
fn a_pause_gives_work_up_survives_a_start_and_ends_by_word_or_by_itself() {
    let mut pair = Pair::start();
    let id = pair.nodes[0].submit(&["sleep", "-p", "duration=4"]);
    let from = pair.runner(&id, 1);
    let paused = pair.nodes[from].json(&["policy", "pause", "30m"]);
    assert_eq!((&paused["state"], &paused["paused"]), (&"paused".into(), &true.into()), "{paused:#}");
    let when = paused["reasons"][0]["text"].as_str().expect("a text");
    let status = pair.nodes[from].json(&["status"]);
    assert_eq!(status["blocked"], serde_json::json!([format!("paused by its owner {when}")]), "{status:#}");
    let result = pair.nodes[1 - from].result(&id, PATIENCE);
    moved(&result, &pair.nodes[1 - from].show(&id).expect("it is known"), from);

    pair.nodes[from].kill();
    pair.nodes[from].start();
    let shown = pair.nodes[from].json(&["policy", "show"]);
    assert_eq!((&shown["state"], &shown["paused_until"]), (&"paused".into(), &paused["paused_until"]), "{shown:#}");
    let resumed = pair.nodes[from].json(&["policy", "resume"]);
    assert_eq!(resumed["state"], "working", "{resumed:#}");
    pair.until_state(1 - from, from, "idle");

    let paused = pair.nodes[from].json(&["policy", "pause", "1s"]);
    assert_eq!(paused["state"], "paused", "{paused:#}");
    until("the pause is over", PATIENCE, || {
        let shown = pair.nodes[from].json(&["policy", "show"]);
        if shown["state"] == "working" { Ok(()) } else { Err(format!("{shown:#}")) }
    });

    let set = pair.nodes[from].json(&["policy", "set", "battery.min=85", "max_tasks=1"]);
    assert_eq!(set["state"], "paused", "80 % are less than 85: {set:#}");
    let refused = pair.nodes[from].say(&["policy", "set", "battery.min=20", "temp.max=x"]);
    assert!(refused.code == 2 && refused.err.contains("temp.max"), "{refused:?}");
    pair.nodes[from].kill();
    pair.nodes[from].start();
    let shown = pair.nodes[from].json(&["policy", "show"]);
    assert_eq!(shown["limits"][0]["value"], "85", "{shown:#}");
    assert_eq!(shown["reasons"][0]["text"], "battery 80 % (min 85 %), resumes at 85 %", "{shown:#}");
    assert_eq!(pair.peer(from, from)["max_concurrent_tasks"], 1);
}

#[test]
fn any_device_can_empty_or_pause_another() {
    let pair = Pair::start();
    let id = pair.nodes[0].submit(&["sleep", "-p", "duration=3"]);
    let from = pair.runner(&id, 1);
    let other = &pair.nodes[1 - from];
    let drained = other.json(&["peers", "drain", NAMES[from]]);
    assert_eq!(drained["reasons"][0]["by"], "draining", "{drained:#}");
    pair.until_state(1 - from, from, "draining");
    let result = other.result(&id, PATIENCE);
    assert_eq!((&result["status"], &result["device"]), (&"completed".into(), &NAMES[from].into()), "{result:#}");
    let next = other.submit(&["sleep", "-p", "duration=0.1"]);
    assert_eq!(other.result(&next, PATIENCE)["device"], NAMES[1 - from]);
    assert_eq!(other.json(&["peers", "undrain", NAMES[from]])["reasons"], serde_json::json!([]));

    pair.until_state(1 - from, from, "idle");
    let id = other.submit(&["sleep", "-p", "duration=5"]);
    let from = pair.runner(&id, 1);
    let other = &pair.nodes[1 - from];
    let paused = other.json(&["peers", "pause", NAMES[from], "10m"]);
    assert_eq!(paused["reasons"][0]["by"], "paused", "{paused:#}");
    let result = other.result(&id, PATIENCE);
    moved(&result, &other.show(&id).expect("it is known"), from);
    assert_eq!(other.json(&["peers", "resume", NAMES[from]])["reasons"], serde_json::json!([]));
    let said = other.say(&["peers", "pause", "nobody"]);
    assert_eq!(said.code, 3, "{said:?}");
}

#[test]
fn a_node_that_is_stopped_hands_its_work_back_before_it_goes() {
    let pair = Pair::start();
    let id = pair.nodes[0].submit(&["sleep", "-p", "duration=5"]);
    let from = pair.runner(&id, 1);
    let pid = fs::read_to_string(pair.pid_file(NAMES[from])).expect("it wrote its number");
    assert!(Command::new("kill").arg(pid.trim()).status().expect("it runs").success());
    let result = pair.nodes[1 - from].result(&id, PATIENCE);
    moved(&result, &pair.nodes[1 - from].show(&id).expect("it is known"), from);
}
