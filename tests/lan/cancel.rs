//! A cancel reaches a task wherever it runs, whatever it does.

use crate::failure::attempts;
use crate::lan::{Lan, NAMES, PATIENCE, note};
use crate::wait::until;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// From the cancel on one device until another knows that the task has ended.
const CANCEL_TIME_MAX: Duration = Duration::from_secs(1);
/// What a command gets to end by itself.
const GRACE: Duration = Duration::from_secs(2);
/// A module whose function `spin` never returns.
const SPIN: &str = "AGFzbQEAAAABBAFgAAADAgEABwgBBHNwaW4AAAoJAQcAA0AMAAsL";

/// Cancels on one device and waits for the end on another; returns what was answered and how long it took.
fn cancel(lan: &Lan, id: &str, on: usize, seen: usize) -> (String, Duration) {
    let began = Instant::now();
    let said = lan.devices[on].say(&["cancel", id]);
    assert_eq!(said.code, 0, "{said:?}");
    until("it is cancelled", PATIENCE, || {
        let shown = lan.devices[seen].show(id)?;
        if shown["status"] == "cancelled" { Ok(()) } else { Err(format!("{shown:#}")) }
    });
    (said.out, began.elapsed())
}

/// How many tasks run on a device, as it says itself.
fn running(lan: &Lan, host: usize) -> Value {
    lan.devices[host].json(&["status"])["running"].clone()
}

#[test]
fn a_cancel_on_another_device_ends_every_type_within_1_s() {
    let Some((lan, _place)) = Lan::with_commands(3) else { return };
    let mut slowest = Duration::ZERO;
    for (task_type, payload) in [
        ("sleep", json!({ "duration": 600 })),
        ("python_eval", json!({ "expression": "sum(range(10**12))" })),
        ("wasm", json!({ "module": SPIN, "function": "spin" })),
        ("command", json!({ "argv": ["sleep", "600"] })),
        ("command", json!({ "command": "(sleep 600 & sleep 600 & wait) | cat", "shell": true })),
    ] {
        let payload = payload.to_string();
        let id = lan.devices[0].submit(&[task_type, "--payload", &payload, "--only-devices", NAMES[1]]);
        assert_eq!(lan.runner(0, &id), 1);
        let (_, took) = cancel(&lan, &id, 2, 0);
        slowest = slowest.max(took);
        note(&format!("{task_type} on another device is cancelled after {took:?}"));
        assert_eq!(running(&lan, 1), 0);
        assert_eq!(attempts(&lan.devices[2].show(&id).expect("it is there")).len(), 1);
    }
    assert!(slowest <= CANCEL_TIME_MAX, "{slowest:?}");
}

#[test]
fn a_command_may_clean_up_when_it_is_cancelled_and_is_killed_if_it_does_not_end() {
    let Some((lan, _place)) = Lan::with_commands(3) else { return };
    let submit = |script: &str| {
        let payload = json!({ "command": script, "shell": true }).to_string();
        let id = lan.devices[0].submit(&["command", "--payload", &payload, "--only-devices", NAMES[1]]);
        // It has set its trap.
        until("it writes", PATIENCE, || {
            let said = lan.devices[1].say(&["logs", &id]);
            if said.out.contains("ready") { Ok(()) } else { Err(format!("{said:?}")) }
        });
        id
    };
    let polite = submit("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done");
    let (said, took) = cancel(&lan, &polite, 2, 0);
    assert!(said.contains("cancel") && took < GRACE, "{said} {took:?}");
    let logs = lan.devices[2].say(&["logs", &polite]);
    assert_eq!(logs.out, "ready\nbye\n", "{logs:?}");

    let deaf = submit("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    let (said, took) = cancel(&lan, &deaf, 2, 0);
    note(&format!("a command that does not listen to SIGTERM is cancelled after {took:?}"));
    assert!(said.contains("cancelling"), "{said}");
    assert!(took >= GRACE, "{took:?}");
    assert_eq!(running(&lan, 1), 0);
}

#[test]
fn a_cancel_counts_although_the_device_is_out_of_reach_and_reaches_it_when_it_is_back() {
    let Some((lan, _place)) = Lan::with_commands(3) else { return };
    let payload = json!({ "argv": ["sleep", "600"] }).to_string();
    let id = lan.devices[0].submit(&["command", "--payload", &payload, "--exclude-devices", NAMES[0]]);
    let holder = lan.runner(0, &id);
    let other = 3 - holder;
    lan.net.link_down(holder);
    let (said, took) = cancel(&lan, &id, other, 0);
    note(&format!("cancelled after {took:?} although its device is out of reach: {}", said.trim()));
    lan.net.link_up(holder);
    until("its device learns of it and lets go", PATIENCE, || {
        let shown = lan.devices[holder].show(&id)?;
        let done = shown["status"] == "cancelled" && running(&lan, holder) == 0;
        if done { Ok(()) } else { Err(format!("{shown:#}")) }
    });
    // Nobody began it again, but for the device itself, which heard of no cancel while it was alone.
    let shown = lan.devices[0].show(&id).expect("it is there");
    assert!(attempts(&shown).iter().all(|attempt| attempt["device"] == NAMES[holder]), "{shown:#}");
    assert_eq!(running(&lan, other), 0);
}
