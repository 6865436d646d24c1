//! A log that something has damaged: the node starts, says what is wrong, and serves the rest.

use crate::trio::{PATIENCE, device};
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};

#[test]
fn what_was_cut_or_damaged_is_told_by_status() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, "attic", &[]);
    node.start();
    let found = |node: &crate::device::Device| node.json(&["status"])["storage_found"].clone();
    assert_eq!(found(&node), serde_json::json!([]));
    let ids = [1, 2].map(|n| node.submit(&["echo", "--payload", &n.to_string()]));
    ids.iter().for_each(|id| drop(node.result(id, PATIENCE)));
    node.kill();

    let log = node.dir.join("log/0000000001.log");
    let bytes = fs::read(&log).expect("the log");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("not empty") as u64 + 1;
    let mut file = OpenOptions::new().write(true).open(&log).expect("the log");
    file.seek(SeekFrom::Start(end + 8)).and_then(|_| file.write_all(b"half of a write")).expect("room");
    node.start();
    let told = found(&node);
    let cut = told[0].as_str().expect("it says what was cut");
    assert!(cut.starts_with("cut: segment 1 at byte "), "{told:#}");
    let card = node.say(&["status"]).out;
    assert!(card.contains(cut), "{card}");
    ids.iter().for_each(|id| assert_eq!(node.result(id, PATIENCE)["status"], "completed"));
    node.kill();

    // A letter in what the first task asks for.
    let at = bytes.windows(4).position(|window| window == b"echo").expect("a task");
    file.seek(SeekFrom::Start(at as u64)).and_then(|_| file.write_all(b"E")).expect("room");
    node.start();
    let told = found(&node);
    assert!(told[0].as_str().is_some_and(|text| text.starts_with("damaged: segment 1 at byte ")), "{told:#}");
    assert_eq!(node.result(&ids[1], PATIENCE)["status"], "completed");
    node.kill();
    node.start();
    assert_ne!(found(&node), serde_json::json!([]), "it is still there");
}
