//! How long a task stands still when its device is gone: from the moment of the fault until the task runs on another device, by the
//! clock that all hosts share. The figures are printed; `RC_FAILOVER_ROUNDS` makes them mean more.

use crate::clock::{parse, wall_ms};
use crate::lan::{Lan, NAMES, PATIENCE, note};
use crate::wait::until;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Rounds of each fault if nobody says otherwise.
const ROUNDS: usize = 2;
const HOSTS: usize = 4;
/// Tasks that each device accepts in a round.
const TASKS: usize = 3;
/// What is promised, twice: this is no place to measure.
const SILENT_TIME_MAX: Duration = Duration::from_secs(12);
const KILLED_TIME_MAX: Duration = Duration::from_secs(4);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Loss {
    Freeze,
    Unplug,
    Kill,
}

/// Submits tasks everywhere, takes away a device that runs some of them, and returns after how many milliseconds each of those ran
/// elsewhere, and whether the lost device was its acceptor as well.
fn round(lan: &mut Lan, number: usize, loss: Loss) -> Vec<(u64, bool)> {
    let body = json!({ "task_type": "sleep", "payload": { "duration": 4 } }).to_string();
    let mut acceptors = BTreeMap::new();
    for host in (0..HOSTS).flat_map(|host| [host; TASKS]) {
        let answer = lan.api(host).call("POST", "/v1/tasks", &body, PATIENCE).expect("it answers");
        let id = answer.json()["task_id"].as_str().expect("an id").to_owned();
        acceptors.insert(id, host);
    }
    let runners: BTreeMap<_, _> = acceptors.keys().map(|id| (id, lan.runner(0, id))).collect();
    // One after the other, so that each is lost; at another moment between two beats each time.
    let victim = (0..HOSTS)
        .map(|host| (host + number) % HOSTS)
        .find(|host| runners.values().any(|runner| runner == host))
        .expect("somebody runs something");
    std::thread::sleep(Duration::from_millis(number as u64 * 377 % 1000));
    let began = wall_ms();
    match loss {
        Loss::Freeze => lan.freeze(victim),
        Loss::Unplug => lan.net.link_down(victim),
        Loss::Kill => lan.devices[victim].kill(),
    }
    let asked = (victim + 1) % HOSTS;
    let mut took = Vec::new();
    for (id, _) in runners.iter().filter(|(_, runner)| **runner == victim) {
        let (started, _) = until("it has run elsewhere", PATIENCE, || {
            let shown = lan.api(asked).get(&format!("/v1/tasks/{id}"), PATIENCE).map_err(|e| e.to_string())?.ok()?;
            let attempts = || shown["attempts"].as_array().into_iter().flatten();
            let elsewhere =
                attempts().find(|attempt| attempt["device"] != NAMES[victim] && attempt["outcome"] == "completed");
            elsewhere.and_then(started).ok_or_else(|| format!("{shown:#}"))
        });
        let waited = started.saturating_sub(began);
        took.push((waited, acceptors[*id] == victim));
    }
    match loss {
        Loss::Freeze => lan.thaw(victim),
        Loss::Unplug => lan.net.link_up(victim),
        Loss::Kill => lan.start(&[victim]),
    }
    lan.all_see_all();
    took
}

fn started(attempt: &Value) -> Option<u64> {
    parse(attempt["started_at"].as_str()?)
}

/// Milliseconds: so many per cent of these are not above it.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

#[test]
fn a_task_runs_again_soon_wherever_its_device_has_gone() {
    let Some(mut lan) = Lan::cluster(HOSTS, &[]) else { return };
    let rounds = std::env::var("RC_FAILOVER_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number of rounds"));
    for loss in [Loss::Kill, Loss::Unplug, Loss::Freeze] {
        let mut samples = Vec::new();
        for number in 0..rounds {
            samples.extend(round(&mut lan, number, loss));
        }
        for (what, lost_acceptor) in [("holder", false), ("holder and acceptor", true)] {
            let of = samples.iter().filter(|(_, lost)| *lost == lost_acceptor).map(|(took, _)| *took);
            let mut took: Vec<_> = of.collect();
            took.sort_unstable();
            let Some(max) = took.last() else { continue };
            note(&format!(
                "{loss:?} of {what}: runs again after p50 {} ms, p99 {} ms, at most {max} ms ({} tasks)",
                percentile(&took, 50),
                percentile(&took, 99),
                took.len()
            ));
        }
        let most = samples.iter().map(|(took, _)| *took).max().expect("one per round");
        let allowed = if loss == Loss::Kill { KILLED_TIME_MAX } else { SILENT_TIME_MAX };
        assert!(u128::from(most) <= allowed.as_millis(), "{loss:?}: {most} ms");
    }
}
