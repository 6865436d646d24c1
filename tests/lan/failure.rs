//! Devices die without notice: the one that runs a task, the one that accepted it, all of them.

use crate::device::Device;
use crate::lan::{Lan, NAMES, PATIENCE, note};
use crate::wait::until;
use serde_json::Value;
use std::time::{Duration, Instant};

/// From `kill -9` of the device that runs a task to its next lease.
const LEASE_TIME_MAX: Duration = Duration::from_secs(1);

/// The attempts of a task, as a device shows them.
pub fn attempts(shown: &Value) -> &[Value] {
    shown["attempts"].as_array().expect("a list")
}

/// Waits for the second lease and returns after how long, and the host that has it.
pub fn leased_again(lan: &Lan, asked: usize, id: &str, patience: Duration) -> (Duration, usize) {
    let (name, took) = until("it is leased again", patience, || {
        let shown = lan.devices[asked].show(id)?;
        match attempts(&shown) {
            [_, second, ..] => Ok(second["device"].as_str().expect("a name").to_owned()),
            _ => Err(format!("{shown:#}")),
        }
    });
    (took, lan.host_of(&name))
}

/// What a `history` says of leases.
pub fn leases_in_history(asked: &Device, id: &str) -> Vec<String> {
    let rows = asked.json(&["history", id]);
    let leases = rows.as_array().expect("a list").iter().filter(|row| row["fact"] == "leased");
    let text = |row: &Value| row["text"].as_str().expect("a text").to_owned();
    leases.map(text).collect()
}

#[test]
fn a_task_whose_device_is_killed_is_leased_again_within_1_s_and_completes() {
    let Some(mut lan) = Lan::cluster(4, &[]) else { return };
    // The acceptor's own lease, and one that it gave to another.
    for where_to in ["--exclude-devices", "--only-devices"] {
        let others = if where_to == "--only-devices" { "barn,cellar,den" } else { NAMES[0] };
        let id = lan.devices[0].submit(&["sleep", "-p", "duration=3", where_to, others]);
        let victim = lan.runner(0, &id);
        assert_ne!(victim, 0);
        let began = Instant::now();
        lan.devices[victim].kill();
        let (_, second) = leased_again(&lan, 0, &id, PATIENCE);
        let took = began.elapsed();
        note(&format!("kill -9 of the holder: leased again after {took:?}"));
        assert_ne!(second, victim);
        let asked = (1..4).find(|host| *host != victim).expect("one of two");
        let result = lan.devices[asked].result(&id, PATIENCE);
        assert_eq!((&result["status"], &result["device"]), (&"completed".into(), &NAMES[second].into()), "{result:#}");
        let shown = lan.devices[asked].show(&id).expect("it is there");
        assert_eq!(attempts(&shown).len(), 2, "{shown:#}");
        assert_eq!(attempts(&shown)[0]["device"], NAMES[victim], "{shown:#}");
        assert_eq!(leases_in_history(&lan.devices[asked], &id).len(), 2);
        assert!(took <= LEASE_TIME_MAX, "{took:?}");
        lan.start(&[victim]);
        lan.all_see_all();
    }
}

#[test]
fn a_task_runs_again_when_acceptor_and_holder_are_killed_together() {
    let Some(mut lan) = Lan::cluster(4, &[]) else { return };
    let id = lan.devices[0].submit(&["sleep", "-p", "duration=4", "--exclude-devices", NAMES[0], "--ack", "3"]);
    let holder = lan.runner(0, &id);
    lan.devices[0].kill();
    lan.devices[holder].kill();
    let left: Vec<_> = (1..4).filter(|host| *host != holder).collect();
    let results: Vec<_> = left.iter().map(|host| lan.devices[*host].result(&id, PATIENCE)).collect();
    assert_eq!(
        (&results[0]["status"], &results[0]["epoch"]),
        (&"completed".into(), &results[1]["epoch"]),
        "{results:#?}"
    );
    assert!(left.iter().any(|host| results[0]["device"] == NAMES[*host]), "{results:#?}");
}

#[test]
fn the_result_is_there_when_the_device_that_accepted_the_task_was_killed() {
    let Some(mut lan) = Lan::cluster(3, &[]) else { return };
    let id = lan.devices[0].submit(&["sleep", "-p", "duration=3", "--exclude-devices", NAMES[0]]);
    let holder = lan.runner(0, &id);
    lan.devices[0].kill();
    let results = [1, 2].map(|host| lan.devices[host].result(&id, PATIENCE));
    for result in &results {
        assert_eq!(result["status"], "completed", "{result:#}");
        assert_eq!(result["result"]["slept_for"], 3, "{result:#}");
    }
    assert_eq!(results[0]["epoch"], results[1]["epoch"]);
    // It lived on where it ran, so that there was no reason to run it twice.
    assert_eq!(results[0]["device"], NAMES[holder]);
    assert_eq!(leases_in_history(&lan.devices[1], &id).len(), 1);
    // The device that was away learns how it ended.
    lan.start(&[0]);
    let result = lan.devices[0].result(&id, PATIENCE);
    assert_eq!(result["epoch"], results[0]["epoch"]);
}

#[test]
fn every_accepted_task_ends_after_all_devices_were_killed_at_once() {
    let Some(mut lan) = Lan::cluster(3, &["--max-concurrent-tasks", "2"]) else { return };
    let mut ids = Vec::new();
    // Some end before, some run, most wait.
    for round in 0..6 {
        for (host, device) in lan.devices.iter().enumerate() {
            let payload = format!("{{\"duration\":{}}}", 0.5 * f64::from(round));
            ids.push(device.submit(&["sleep", "--payload", &payload]));
            ids.push(device.submit(&["echo", "--payload", &format!("[{host},{round}]")]));
        }
    }
    let told: Vec<_> = ids.iter().map(|id| lan.devices[0].show(id).expect("it is there")).collect();
    for device in &mut lan.devices {
        device.kill();
    }
    let open = told.iter().filter(|shown| shown["status"] != "completed").count();
    assert!(open > 0, "nothing was left to do");
    let began = Instant::now();
    lan.start(&[0, 1, 2]);
    for (id, told) in ids.iter().zip(&told) {
        let results: Vec<_> = lan.devices.iter().map(|device| device.result(id, 2 * PATIENCE)).collect();
        for result in &results {
            assert_eq!(result["status"], "completed", "{result:#}");
            assert_eq!((&result["result"], &result["epoch"]), (&results[0]["result"], &results[0]["epoch"]));
        }
        if told["status"] == "completed" {
            assert_eq!(results[0]["epoch"], attempts(told).last().expect("one")["epoch"], "another end of {id}");
        }
    }
    note(&format!(
        "all killed with {open} of {} tasks open: all ended {:?} after the start",
        ids.len(),
        began.elapsed()
    ));
}
