//! kill -9 at random points under load: whatever was acknowledged is there, and nothing that was never written, nor half of anything.
//!
//! `RC_KILL_ROUNDS` chooses how often.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use super::*;
use crate::storage::{Event, SubmitError, Writer};

/// Kills if nobody says otherwise.
const ROUNDS: u64 = 50;
/// Small, so that rotation and compaction are killed as well.
const OPTIONS: Options = Options { segment_bytes: 64 << 10, bytes_max: u64::MAX };
/// A task is removed when this many newer ones were written.
const KEPT: u64 = 200;

fn value(n: u64) -> Vec<u8> {
    vec![n as u8; 100 + (n % 50) as usize]
}

/// What the store holds after record `highest`, and nothing else.
fn expected(highest: u64) -> BTreeMap<TaskKey, Entries> {
    let live = highest.saturating_sub(KEPT) + 1..=highest;
    live.map(|n| (task(n), vec![entry("a", &value(n)), entry("b", &value(n + 1))])).collect()
}

fn highest(storage: &Storage) -> u64 {
    storage.cell("highest").map_or(0, |cell| u64::from_le_bytes(cell.try_into().expect("8 bytes")))
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let rounds = env::var("RC_KILL_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number"));
    let dir = tempfile::tempdir().expect("dir");
    let mut acknowledged = 0u64;
    let (mut cuts, mut unacknowledged) = (0, 0);
    // How far each round gets before the kill differs; the same numbers every run.
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    for round in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut child = Command::new(env::current_exe().expect("this binary"))
            .args(["--exact", "storage::tests::kill::child_under_load", "--ignored", "--nocapture"])
            .env("RC_KILL_DIR", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("spawn");
        let target = acknowledged + 1 + (random >> 33) % 700;
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        while acknowledged < target {
            let line = lines.next().expect("the child lives").expect("readable");
            if let Some(upto) = line.strip_prefix("durable ") {
                acknowledged = upto.parse().expect("a number");
            }
        }
        child.kill().expect("kill -9");
        child.wait().expect("reaped");
        // Said before it died, read after.
        for line in lines.map_while(Result::ok) {
            if let Some(upto) = line.strip_prefix("durable ").and_then(|upto| upto.parse().ok()) {
                acknowledged = upto;
            }
        }
        let (mut storage, report) = open_with(dir.path(), OPTIONS);
        assert_eq!(report.damage_count, 0, "round {round}: {report:?}");
        let highest = highest(&storage);
        assert!(
            highest >= acknowledged,
            "round {round}: {acknowledged} was acknowledged, {highest} is there: {report:?}"
        );
        // Commits are whole and in order, so that the last one tells all the rest.
        assert!(all(&mut storage) == expected(highest), "round {round}: not what is there after record {highest}");
        cuts += u64::from(report.cut.is_some());
        unacknowledged += highest - acknowledged;
    }
    eprintln!(
        "{rounds} kills, {acknowledged} records acknowledged, {unacknowledged} there that were not, {cuts} torn tails cut"
    );
}

#[test]
#[ignore = "run by what_was_acknowledged_survives_kill_9"]
fn child_under_load() {
    let Some(dir) = env::var_os("RC_KILL_DIR") else { return };
    let (storage, _) = open_with(Path::new(&dir), OPTIONS);
    let from = highest(&storage) + 1;
    let writer = Writer::start(storage, 32, |event| match event {
        Event::Durable { upto } => {
            // One write per line, so that the parent never reads half a number.
            let _ = std::io::stdout().write_all(format!("durable {upto}\n").as_bytes());
        }
        other => panic!("{other:?}"),
    })
    .expect("start");
    for n in from.. {
        let mut batch = put_batch(n, "a", &value(n));
        batch.put(task(n), b"b", &value(n + 1)).expect("put");
        batch.put_cell("highest", &n.to_le_bytes()).expect("put");
        if n > KEPT {
            batch.remove_task(task(n - KEPT)).expect("remove");
        }
        let mut batches = vec![(n, batch)];
        while let Err(SubmitError::Busy(back)) = writer.submit(batches) {
            batches = back;
            std::thread::yield_now();
        }
    }
}
