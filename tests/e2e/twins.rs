//! A data directory that was copied to a second host: both run with one key, and the others say so.

use crate::trio::{PATIENCE, Trio, device};
use crate::wait::until;
use std::process::Command;

#[test]
fn two_hosts_with_one_key_are_told_of_and_one_that_restarts_is_not() {
    let mut trio = Trio::start(&[]);
    for _ in 0..3 {
        trio.nodes[2].kill();
        trio.nodes[2].start();
        trio.complete();
    }
    let id = trio.nodes[2].json(&["status"])["id"].clone();
    let doubted = |trio: &Trio| {
        let rows = trio.nodes[0].json(&["peers"]);
        rows.as_array().is_some_and(|rows| rows.iter().any(|row| row["id"] == id && row["twins"] == true))
    };
    assert!(!doubted(&trio), "it was started three times");

    trio.nodes[2].kill();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut copy = device(&dir, "copy", &[]);
    copy.flags.extend(trio.nodes[2].flags.iter().rev().take(2).rev().cloned());
    let copied = Command::new("cp").arg("-r").arg(&trio.nodes[2].dir).arg(&copy.dir).status().expect("cp");
    assert!(copied.success());
    trio.nodes[2].spawn();
    copy.spawn();
    until("they are told of", PATIENCE, || if doubted(&trio) { Ok(()) } else { Err(trio.nodes[0].log()) });
    let said = trio.nodes[0].say(&["peers"]);
    assert!(said.err.contains("two hosts run with its data directory"), "{said:?}");
    assert!(trio.nodes[0].log().contains("peer.twins"), "the log says so, too");
}
