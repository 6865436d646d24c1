//! Any device comes to the same answer: nothing but the records and the task goes into it.

use crate::worlds::{Draw, Xorshift};
use rc_scheduler::{explain, pick, view_hash};
use std::collections::BTreeSet;
use std::process::Command;

const CHILD: &str = "RC_PLACEMENT_DIGEST";

/// Changes only with score/v1, the words of a reason or the maker of worlds. Devices of one cluster may run different versions:
/// a change of the terms is a new version of the score.
const GOLDEN: &str = "f6be817fc817279298ecdd99b4032353ddd6390224f25b89f7d9195765ef8003";

/// Of 10 000 worlds: everything that `explain` says, in the words of a person, and the view's hash.
fn digest() -> String {
    let mut draw = Draw(Xorshift(0x9e37_79b9_7f4a_7c15));
    let mut hasher = blake3::Hasher::new();
    let (mut placed, mut tied) = (0, 0);
    for _ in 0..10_000 {
        let world = draw.world();
        let picked = pick(world.task, &world.spec, world.candidates());
        placed += usize::from(picked.is_some());
        tied += usize::from(
            picked.is_some_and(|pick| pick.runner_up.is_some_and(|(_, terms)| terms.total() == pick.terms.total())),
        );
        let records = world.devices.iter().map(|device| &device.record);
        hasher.update(&view_hash(records).to_le_bytes());
        for row in explain(world.task, &world.spec, world.candidates(), &BTreeSet::new()) {
            let t = row.terms;
            let numbers = [t.cpu, t.memory, t.load, t.network, t.affinity, row.total];
            hasher.update(format!("{} {numbers:?} {}\n", row.device, row.chosen).as_bytes());
            for unmet in row.unmet {
                hasher.update(format!("- {unmet} {}\n", unmet.reason()).as_bytes());
            }
        }
    }
    assert!(placed > 2_000, "only {placed} worlds place their task");
    assert!(tied > 500, "only {tied} worlds have two best devices");
    hasher.finalize().to_hex().to_string()
}

#[test]
fn ten_thousand_views_give_the_same_answer_in_two_processes_and_for_ever() {
    let here = digest();
    if std::env::var_os(CHILD).is_some() {
        println!("digest={here}");
        return;
    }
    let child = Command::new(std::env::current_exe().expect("this test is a file"))
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("processes::ten_thousand_views_give_the_same_answer_in_two_processes_and_for_ever")
        .env(CHILD, "1")
        .output()
        .expect("a second process starts");
    let there = String::from_utf8_lossy(&child.stdout);
    assert!(there.contains(&format!("digest={here}")), "here {here}, in another process:\n{there}");
    assert_eq!(here, GOLDEN);
}
