//! Links fail while devices live on: a pulled cable, a device that hears nobody, lost packets.

use crate::failure::{attempts, leased_again, leases_in_history};
use crate::lan::{Lan, NAMES, PATIENCE, note};
use crate::wait::until;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// From pulling the link of the device that runs a task to its next lease.
const LEASE_TIME_MAX: Duration = Duration::from_secs(8);
/// From the return of the link until the stale attempt is stopped.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);
/// After everything was said: long enough for a late outcome to overturn it, if it could.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// The attempts that a command left in a file as they began, by their epochs.
fn begun(starts: &Path) -> Vec<String> {
    let text = fs::read_to_string(starts).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(str::to_owned).collect()
}

/// Whether a process of an attempt lives on any of the hosts.
fn runs(epoch: &str) -> bool {
    let said = format!("RC_TASK_EPOCH={epoch}");
    let processes = fs::read_dir("/proc").expect("there is one").flatten();
    let environments = processes.filter_map(|process| fs::read(process.path().join("environ")).ok());
    environments.into_iter().any(|text| text.split(|byte| *byte == 0).any(|variable| variable == said.as_bytes()))
}

#[test]
fn a_task_whose_device_lost_its_link_completes_elsewhere_and_stays_so_when_the_link_returns() {
    let Some((lan, place)) = Lan::with_commands(4) else { return };
    let starts = place.path().join("all/starts");
    let place = place.path().to_str().expect("a path of ours");
    // An attempt ends when there is a file with this name where only its host sees it. The one that lost its link never gets one.
    let script = format!(
        "echo $RC_TASK_EPOCH >> {place}/all/starts; until [ -e {place}/*/go ]; do sleep 0.1; done; echo $RC_TASK_EPOCH"
    );
    let payload = json!({ "command": script, "shell": true }).to_string();
    let files = ["--allow-filesystem", "--required-permissions", "write_files"];
    let task = ["command", "--payload", &payload, "--exclude-devices", NAMES[0]];
    let id = lan.devices[0].submit(&[&task[..], &files].concat());
    let victim = lan.runner(0, &id);
    until("the command has begun", PATIENCE, || {
        if begun(&starts).is_empty() { Err("not yet") } else { Ok(()) }.map_err(str::to_owned)
    });
    let first = begun(&starts).remove(0);
    assert!(runs(&first), "it is not seen: {first}");
    for other in (0..4).filter(|host| *host != victim) {
        fs::write(Path::new(place).join(NAMES[other]).join("go"), "").expect("room");
    }

    lan.net.link_down(victim);
    let began = Instant::now();
    let (_, second) = leased_again(&lan, 0, &id, PATIENCE);
    let leased = began.elapsed();
    assert_ne!(second, victim);
    let told = lan.devices[0].result(&id, PATIENCE);
    let completed = began.elapsed();
    assert_eq!((&told["status"], &told["device"]), (&"completed".into(), &NAMES[second].into()), "{told:#}");

    lan.net.link_up(victim);
    let began = Instant::now();
    let ((), stopped) = until("the stale attempt is stopped", STOP_TIME_MAX, || {
        if runs(&first) { Err(format!("{first} lives on")) } else { Ok(()) }
    });
    lan.all_see_all();
    let met = began.elapsed();
    note(&format!(
        "link of the holder pulled: leased again after {leased:?}, completed after {completed:?}; \
         stale attempt gone {stopped:?}, all see all {met:?} after it returned"
    ));
    std::thread::sleep(AFTERWARDS);
    assert!(!runs(&first), "it came back");
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
        // The first attempt, and the one that counts; between them perhaps one that the victim gave to itself while it was alone.
        let shown = device.show(&id).expect("it is there");
        assert_eq!(attempts(&shown)[0]["device"], NAMES[victim], "{shown:#}");
        let completed: Vec<_> = attempts(&shown).iter().filter(|attempt| attempt["outcome"] == "completed").collect();
        assert!(completed.len() == 1 && completed[0]["epoch"] == told["epoch"], "{shown:#}");
        assert!(leases_in_history(device, &id).len() >= 2);
    }
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
