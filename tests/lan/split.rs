//! A LAN falls into two, both sides keep working, and when they meet again they agree.

use crate::lan::{Lan, PATIENCE, note};
use crate::wait::until;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long the LAN is two.
const SPLIT: Duration = Duration::from_secs(20);
const LEFT: [usize; 3] = [0, 1, 2];
const RIGHT: [usize; 2] = [3, 4];

/// What must be the same wherever it is asked.
fn told(result: &Value) -> [Value; 5] {
    ["status", "result", "error", "device", "epoch"].map(|field| result[field].clone())
}

/// What a device says of a task that has ended; `None` if it does not know an end.
fn end(lan: &Lan, host: usize, id: &str) -> Option<Value> {
    let said = lan.devices[host].say(&["result", id, "-o", "json"]);
    // A failed task's result is printed, too.
    matches!(said.code, 0 | 1).then(|| said.out).and_then(|out| serde_json::from_str(&out).ok())
}

fn settlements(lan: &Lan, host: usize, id: &str) -> (usize, usize) {
    let rows = lan.devices[host].json(&["history", id]);
    let settled = rows.as_array().expect("a list").iter().filter(|row| row["fact"] == "settled");
    let (overruled, valid): (Vec<_>, Vec<_>) = settled.partition(|row| row["superseded"] == true);
    (valid.len(), overruled.len())
}

#[test]
fn five_devices_split_three_to_two_agree_when_they_meet_again() {
    let Some(lan) = Lan::cluster(5, &[]) else { return };
    let mut ids: Vec<String> = Vec::new();
    // They run, or wait, when the LAN falls apart; each side then has tasks whose acceptor or holder is on the other.
    let mut across = Vec::new();
    for device in &lan.devices {
        across.push(device.submit(&["sleep", "-p", "duration=9"]));
        across.push(device.submit(&["sleep", "-p", "duration=3"]));
    }
    ids.extend(across.iter().cloned());
    lan.net.split(&LEFT, &RIGHT);
    let began = Instant::now();
    let mut round = 0;
    while began.elapsed() < SPLIT {
        for device in &lan.devices {
            ids.push(device.submit(&["echo", "--payload", &format!("{{\"round\":{round}}}")]));
            ids.push(device.submit(&["sleep", "-p", "duration=0.5"]));
        }
        round += 1;
        std::thread::sleep(Duration::from_secs(2));
    }
    // What people on either side were told before they met again.
    let reports = |host: usize| -> BTreeMap<&str, Value> {
        across.iter().filter_map(|id| Some((id.as_str(), end(&lan, host, id)?))).collect()
    };
    let (left, right) = (reports(LEFT[0]), reports(RIGHT[0]));
    lan.see_each_other(&LEFT, Duration::from_secs(1));
    lan.see_each_other(&RIGHT, Duration::from_secs(1));
    lan.net.heal();
    let healed = Instant::now();
    lan.all_see_all();
    let met = healed.elapsed();

    let mut agreed = BTreeMap::new();
    for id in &ids {
        let (ends, _) = until("every device tells the same end", 2 * PATIENCE, || {
            let ends: Vec<_> = (0..5).map(|host| end(&lan, host, id)).collect();
            let first = ends[0].as_ref().map(told);
            let same = first.is_some() && ends.iter().all(|end| end.as_ref().map(told) == first);
            let history = || lan.devices[0].say(&["history", id]).out;
            if same { Ok(told(ends[0].as_ref().expect("just seen"))) } else { Err(format!("{ends:#?}\n{}", history())) }
        });
        assert_eq!(ends[0], "completed", "{id}: {ends:?}");
        agreed.insert(id.as_str(), ends);
    }
    let settled = healed.elapsed();

    let mut twice = 0;
    for (id, left) in &left {
        let Some(right) = right.get(id) else { continue };
        if left["epoch"] == right["epoch"] {
            continue;
        }
        twice += 1;
        for host in 0..5 {
            let (valid, overruled) = settlements(&lan, host, id);
            assert!(valid == 1 && overruled >= 1, "{id} was decided twice; {} hides it", lan.devices[host].name);
        }
    }
    for (side, reports) in [("left", &left), ("right", &right)] {
        for (id, report) in reports {
            let kept = told(report) == agreed[id];
            let (_, overruled) = settlements(&lan, 0, id);
            assert!(
                kept || overruled >= 1,
                "{id}: the {side} was told {report:#}, and history does not say what changed"
            );
        }
    }
    // It stays so.
    for (id, ends) in &agreed {
        for host in [LEFT[1], RIGHT[1]] {
            let now = end(&lan, host, id).as_ref().map(told);
            assert_eq!(now.as_ref(), Some(ends), "{id} changed on {}", lan.devices[host].name);
        }
    }
    note(&format!(
        "split 3/2 for 20 s: {} tasks, {} of {} across it decided twice; all see all {met:?}, and agree {settled:?}, after it healed",
        ids.len(),
        twice,
        across.len()
    ));
}
