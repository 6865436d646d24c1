//! Large data: it outlives the device it came in at and the one that made it, and what has no room is refused.

use crate::device::{Device, finish};
use crate::trio::{NAMES, PATIENCE, Trio, device};
use crate::wait::until;
use std::fs;
use std::path::Path;
use std::time::Duration;

const MIB: usize = 1 << 20;

/// JSON text of about so many bytes, no two parts of it alike.
fn json(bytes: usize, seed: u64) -> String {
    let mut state = seed;
    let words = (0..bytes / 20).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("\"{:017x}\"", state >> 4)
    });
    format!("[{}]", words.collect::<Vec<_>>().join(","))
}

fn write(dir: &Path, name: &str, data: &[u8]) -> String {
    let path = dir.join(name);
    fs::write(&path, data).expect("room");
    path.to_str().expect("UTF-8").to_owned()
}

/// What `result` prints of a task, once it has ended.
fn result(node: &Device, id: &str) -> String {
    node.result(id, PATIENCE);
    let said = node.say(&["result", id]);
    assert_eq!(said.code, 0, "{}", said.err);
    said.out
}

fn blobs(node: &Device) -> (usize, u64) {
    let list = node.json(&["blob", "ls"]);
    (list["blobs"].as_array().expect("a list").len(), list["missing"].as_u64().expect("a number"))
}

#[test]
fn a_large_payload_outlives_its_acceptor_and_a_large_result_its_holder() {
    let mut trio = Trio::start(&[]);
    let dir = tempfile::tempdir().expect("a directory");
    let text = json(5 * MIB, 1);
    let payload = format!("@{}", write(dir.path(), "payload", text.as_bytes()));

    let said =
        trio.nodes[0].say(&["submit", "echo", "--payload", &payload, "--exclude-devices", NAMES[0], "-o", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.json()["acks"].as_u64() >= Some(2), "{said:?}");
    let id = said.json()["task_id"].as_str().expect("an id").to_owned();
    trio.nodes[0].kill();
    assert!(result(&trio.nodes[2], &id) == format!("{text}\n"), "the result is the payload, byte for byte");

    trio.nodes[0].start();
    trio.complete();
    let text = json(5 * MIB, 2);
    let payload = format!("@{}", write(dir.path(), "other", text.as_bytes()));
    let id = trio.nodes[0].submit(&["echo", "--payload", &payload, "--only-devices", NAMES[1]]);
    let ended = trio.nodes[0].result(&id, PATIENCE);
    assert!(ended["disks"].as_u64() >= Some(2), "{}", ended["disks"]);
    trio.nodes[1].kill();
    assert!(result(&trio.nodes[2], &id) == format!("{text}\n"));
    assert!(result(&trio.nodes[0], &id) == format!("{text}\n"));
    // And blobs follow their records to every device that keeps one.
    trio.nodes[1].start();
    for node in &trio.nodes {
        until("every blob is everywhere", PATIENCE, || match blobs(node) {
            (4, 0) => Ok(()),
            other => Err(format!("{}: {other:?}", node.name)),
        });
    }
}

#[test]
fn blobs_go_in_at_one_device_and_come_out_at_another() {
    let trio = Trio::start(&["--blobs-grace", "2s"]);
    let dir = tempfile::tempdir().expect("a directory");
    let data: Vec<u8> = json(3 * MIB, 3).into_bytes();
    let file = write(dir.path(), "in", &data);
    let put = trio.nodes[0].json(&["blob", "put", &file]);
    let hash = put["blob"].as_str().expect("a hash").to_owned();
    assert_eq!(put["bytes"].as_u64(), Some(data.len() as u64));
    let id = trio.nodes[0].submit(&["sleep", "-p", "duration=0", "--blob", &hash]);

    let piped = finish(trio.nodes[1].command(&["blob", "put", "-"]), b"not for long");
    let loose = piped.out.trim().to_owned();
    assert_eq!(piped.code, 0, "{piped:?}");

    let out = dir.path().join("out");
    let said = trio.nodes[2].say(&["blob", "get", &hash, "-f", out.to_str().expect("UTF-8")]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(fs::read(&out).expect("written") == data);
    assert_eq!(trio.nodes[2].say(&["blob", "get", &loose]).out, "not for long");

    let nobody = "0".repeat(64);
    let said = trio.nodes[2].say(&["blob", "get", &nobody, "-f", out.to_str().expect("UTF-8")]);
    assert!(said.code == 3 && said.err.contains("none of 2 devices"), "{said:?}");
    assert!(fs::read(&out).expect("still there") == data);
    assert_eq!(trio.nodes[2].say(&["blob", "get", "nonsense"]).code, 2);
    let said = trio.nodes[0].say(&["submit", "echo", "--blob", &nobody]);
    assert!(said.code == 3 && said.out.is_empty(), "{said:?}");

    // What no task names goes; what one names stays, on every device that keeps the task.
    for node in &trio.nodes {
        until("only what is named is left", Duration::from_secs(60), || {
            let list = node.json(&["blob", "ls"]);
            let named: Vec<_> = list["blobs"].as_array().expect("a list").iter().map(|row| &row["blob"]).collect();
            if named == [&hash] { Ok(()) } else { Err(format!("{}: {list:#}", node.name)) }
        });
    }
    assert_eq!(trio.nodes[0].result(&id, PATIENCE)["status"], "completed");
}

#[test]
fn what_has_no_room_is_refused_in_words_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut node = device(&dir, "attic", &["--blobs-max-bytes", "3MiB", "--payload-max-bytes", "4MiB"]);
    node.start();
    let payload = |bytes| format!("@{}", write(dir.path(), "payload", json(bytes, 4).as_bytes()));
    let said = node.say(&["submit", "echo", "--payload", &payload(7 * MIB / 2)]);
    assert!(said.code == 1 && said.err.contains("the blob store is full") && said.out.is_empty(), "{said:?}");
    let said = node.say(&["submit", "echo", "--payload", &payload(9 * MIB / 2)]);
    assert!(said.code == 2 && said.err.contains("too large") && said.err.contains("4194304"), "{said:?}");
    let said = node.say(&["blob", "put", &write(dir.path(), "large", &vec![7; 4 * MIB])]);
    assert!(said.code == 2 && said.err.contains("longer than 3145728 bytes"), "{said:?}");
    assert_eq!(blobs(&node), (0, 0));

    // Room for the payload, and not for the result beside it: the task fails with a reason, and is tried again as others are.
    let id = node.submit(&["echo", "--payload", &payload(2 * MIB), "--max-retries", "0"]);
    let ended = node.result(&id, PATIENCE);
    assert_eq!(
        (&ended["status"], &ended["error"]["class"]),
        (&"failed".into(), &"resource_exhausted".into()),
        "{ended:#}"
    );
    assert!(ended["error"]["message"].as_str().is_some_and(|why| why.contains("the blob store is full")), "{ended:#}");
    let id = node.submit(&["echo", "--payload", "1"]);
    assert_eq!(node.result(&id, PATIENCE)["result"], 1);
    // And all of that after a start, too.
    node.kill();
    node.start();
    assert_eq!(blobs(&node), (1, 0));
    assert_eq!(node.result(&id, PATIENCE)["result"], 1);
}
