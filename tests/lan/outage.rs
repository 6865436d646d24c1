//! Links fail while devices live on: a pulled cable, a device that hears nobody, lost packets.

use crate::failure::{attempts, leased_again, leases_in_history};
use crate::lan::{Lan, NAMES, PATIENCE, note};
use crate::wait::until;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// From pulling the link of the device that runs a task to its next lease, in the words of the issue.
const LEASE_TIME_MAX: Duration = Duration::from_secs(8);
/// From the return of the link until the stale attempt is stopped.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);
/// After everything was said: long enough for a late outcome to overturn it, if it could.
const AFTERWARDS: Duration = Duration::from_secs(2);

fn exists(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

#[test]
fn a_task_whose_device_lost_its_link_completes_elsewhere_and_stays_so_when_the_link_returns() {
    let Some(lan) = Lan::cluster(4, &["--allow", "command"]) else { return };
    let starts = lan.dir.path().join("starts");
    let go = lan.dir.path().join("go");
    // The first attempt would take forever; one that starts after `go` is there ends at once.
    let script =
        format!("echo $$ >> {0}; test -e {1} || sleep 600; echo $RC_TASK_EPOCH", starts.display(), go.display());
    let payload = json!({ "command": script, "shell": true }).to_string();
    let id = lan.devices[0].submit(&["command", "--payload", &payload, "--exclude-devices", NAMES[0]]);
    let victim = lan.runner(0, &id);
    let (process, _) = until("the command has started", PATIENCE, || {
        let text = fs::read_to_string(&starts).unwrap_or_default();
        text.trim().parse::<u32>().map_err(|_| text)
    });
    fs::write(&go, "").expect("room");

    lan.net.link_down(victim);
    let began = Instant::now();
    let (_, second) = leased_again(&lan, 0, &id, PATIENCE);
    let leased = began.elapsed();
    assert_ne!(second, victim);
    let told = lan.devices[0].result(&id, PATIENCE);
    assert_eq!((&told["status"], &told["device"]), (&"completed".into(), &NAMES[second].into()), "{told:#}");
    let stopped_early = !exists(process);

    lan.net.link_up(victim);
    let began = Instant::now();
    let ((), stopped) = until("the stale attempt is stopped", STOP_TIME_MAX, || {
        if exists(process) { Err(format!("process {process} lives")) } else { Ok(()) }
    });
    lan.all_see_all();
    note(&format!(
        "link of the holder pulled: leased again after {leased:?}; stale attempt stopped {}, all see all {:?} after it returned",
        if stopped_early { "before".to_owned() } else { format!("{stopped:?}") },
        began.elapsed()
    ));
    std::thread::sleep(AFTERWARDS);
    for device in &lan.devices {
        let result = device.result(&id, PATIENCE);
        for field in ["status", "result", "device", "epoch", "attempt", "started_at", "finished_at"] {
            let history = || device.say(&["history", &id]).out;
            assert_eq!(
                result[field],
                told[field],
                "{} changed {field}:\n{told:#}\n{result:#}\n{}",
                device.name,
                history()
            );
        }
    }
    let shown = lan.devices[victim].show(&id).expect("it is there");
    assert_eq!(attempts(&shown).len(), 2, "{shown:#}");
    assert_eq!(leases_in_history(&lan, victim, &id).len(), 2);
    assert_eq!(fs::read_to_string(&starts).expect("it is there").lines().count(), 2, "it was started a third time");
    assert!(leased <= LEASE_TIME_MAX, "{leased:?}");
}

#[test]
fn a_device_that_one_other_cannot_hear_loses_nothing() {
    let Some(lan) = Lan::cluster(3, &[]) else { return };
    // One way only: `attic` hears nothing from `barn`, which hears everything. `cellar` hears both.
    lan.net.deafen(0, &[1]);
    let began = Instant::now();
    let mut ids = Vec::new();
    while began.elapsed() < Duration::from_secs(10) {
        for device in &lan.devices {
            ids.push(device.submit(&["sleep", "-p", "duration=0.2"]));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    // Those that are reachable for someone are reachable for all who ask the one between.
    for id in &ids {
        assert_eq!(lan.devices[2].result(id, PATIENCE)["status"], "completed");
    }
    lan.net.heal();
    lan.all_see_all();
    for id in &ids {
        let results: Vec<_> = lan.devices.iter().map(|device| device.result(id, PATIENCE)).collect();
        for result in &results {
            assert_eq!(
                (&result["status"], &result["epoch"]),
                (&"completed".into(), &results[0]["epoch"]),
                "{result:#}"
            );
        }
    }
    note(&format!("one way cut for 10 s: {} tasks, all completed", ids.len()));
}

#[test]
fn a_lan_that_loses_a_tenth_of_its_packets_still_works() {
    let Some(lan) = Lan::cluster(3, &[]) else { return };
    for host in 0..3 {
        lan.net.lose(host, 10);
    }
    let began = Instant::now();
    let mut ids = Vec::new();
    for round in 0..10 {
        for device in &lan.devices {
            ids.push(device.submit(&["echo", "--payload", &round.to_string()]));
        }
    }
    for id in &ids {
        assert_eq!(lan.devices[0].result(id, PATIENCE)["status"], "completed");
    }
    note(&format!("a tenth of all packets lost: {} tasks in {:?}", ids.len(), began.elapsed()));
}
