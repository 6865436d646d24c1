//! What a task wrote outlives the device it ran on.

use crate::failure::attempts;
use crate::lan::{Lan, NAMES, PATIENCE, note};
use crate::wait::until;
use std::fs::{self, File};
use std::process::Stdio;

/// Each attempt says which it is, and writes until it is stopped.
const SCRIPT: &str = "echo begin $RC_TASK_EPOCH; n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.05; done";

/// What one attempt writes up to its last whole line.
fn ticks(said: &str) -> String {
    let count = said.lines().count() - 1;
    let ticks: String = (1..=count).map(|n| format!("tick {n}\n")).collect();
    format!("{}\n{ticks}", said.lines().next().expect("a line"))
}

#[test]
fn logs_of_a_killed_device_stay_readable_and_the_next_attempt_follows() {
    outlives("killed", |lan, host| lan.devices[host].kill());
}

#[test]
fn logs_of_a_frozen_device_stay_readable_and_the_next_attempt_follows() {
    outlives("frozen", |lan, host| lan.freeze(host));
}

/// Follows a task on a third device while that which runs it is lost.
fn outlives(how: &str, lose: impl Fn(&mut Lan, usize)) {
    let Some((mut lan, place)) = Lan::with_commands(4) else { return };
    let payload = serde_json::json!({"argv": ["sh", "-c", SCRIPT]}).to_string();
    let id = lan.devices[0].submit(&["command", "--payload", &payload, "--exclude-devices", NAMES[0]]);
    let holder = lan.runner(0, &id);
    let third = (1..4).find(|host| *host != holder).expect("one of two");
    let (out, err) = (place.path().join("out"), place.path().join("err"));
    let mut command = lan.devices[third].command(&["logs", "-f", &id]);
    command.stdin(Stdio::null());
    command.stdout(File::create(&out).expect("a file")).stderr(File::create(&err).expect("a file"));
    let mut follower = command.spawn().expect("it starts");
    let read = |path| fs::read_to_string(path).expect("a file");
    let sees = |what: &str, enough: &dyn Fn(&str) -> bool| {
        until(what, PATIENCE, || Some(read(&out)).filter(|seen| enough(seen)).ok_or_else(|| read(&out))).1
    };
    sees("the third device sees it write", &|seen| seen.contains("tick 40\n"));
    lose(&mut lan, holder);
    let took = sees("it sees the next attempt", &|seen| {
        seen.rsplit_once("begin").is_some_and(|(first, second)| !first.is_empty() && second.contains("tick 5\n"))
    });
    note(&format!("the device that wrote was {how}; the next one's output came after {took:?}"));
    assert_eq!(lan.devices[third].say(&["cancel", &id]).code, 0);
    let (status, _) = until("the follower ends", PATIENCE, || {
        follower.try_wait().expect("a child").ok_or_else(|| format!("{}{}", read(&out), read(&err)))
    });
    let (seen, said) = (read(&out), read(&err));
    assert_eq!(status.code(), Some(1), "{seen}{said}");
    let split = seen.rfind("begin").expect("two attempts");
    for part in [&seen[..split], &seen[split..]] {
        assert_eq!(part, ticks(part), "something is missing, or there twice");
    }
    assert!(said.contains(&format!("on {} is over: lost", NAMES[holder])), "{said}");
    assert_eq!(attempts(&lan.devices[0].show(&id).expect("it is there")).len(), 2);

    // Nobody but the acceptor had a copy; anyone may ask for it.
    for host in (0..4).filter(|host| *host != holder) {
        let later = lan.devices[host].say(&["logs", &id]);
        assert_eq!(later.code, 0, "{later:?}");
        let split = later.out.rfind("begin").expect("two attempts");
        let (first, second) = later.out.split_at(split);
        assert!(seen.starts_with(first) && first.contains("tick 20\n"), "{first}");
        assert_eq!(second, ticks(second));
    }
}
