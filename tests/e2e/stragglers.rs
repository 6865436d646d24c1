//! An attempt that takes far longer than others of its type gets a copy on another device, if the task asks for it.

use crate::device::Device;
use crate::logs::Running;
use crate::trio::{NAMES, PATIENCE, address, device};
use crate::wait::until;
use serde_json::Value;
use std::fs;
use tempfile::TempDir;

/// Three devices with a type of their own; on the second it never comes to an end.
fn devices(dir: &TempDir) -> Vec<Device> {
    let quick = "case $(cat) in *long*) echo quick >&2; sleep 2;; esac; echo '\"done\"'";
    fs::write(dir.path().join("quick.sh"), quick).expect("a file");
    fs::write(dir.path().join("stuck.sh"), "echo stuck >&2; exec sleep 600").expect("a file");
    let config = |script: &str| {
        let path = dir.path().join(format!("{script}.toml"));
        fs::write(&path, format!("[handlers.render]\ncommand = [\"sh\", \"{script}.sh\"]\n")).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let mut nodes: Vec<_> = NAMES
        .iter()
        .enumerate()
        .map(|(at, name)| device(dir, name, &["--config", &config(if at == 1 { "stuck" } else { "quick" })]))
        .collect();
    nodes[0].start();
    let (ticket, peer) = (nodes[0].ticket(), address(&nodes[0]));
    for node in &mut nodes[1..] {
        node.join(&ticket);
        node.flags.extend(["--peer".to_owned(), peer.clone()]);
        node.start();
    }
    for node in &nodes {
        until("all see all", PATIENCE, || {
            if node.sees().len() == NAMES.len() { Ok(()) } else { Err(format!("{} does not", node.name)) }
        });
    }
    nodes
}

/// What a device knows of one of them.
fn peer(by: &Device, of: &str) -> Value {
    let peers = by.json(&["peers"]);
    let row = peers.as_array().and_then(|rows| rows.iter().find(|row| row["name"] == of).cloned());
    row.unwrap_or_default()
}

#[test]
fn a_straggler_is_overtaken_by_its_copy_and_stopped() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let nodes = devices(&dir);
    let [attic, barn, cellar] = &nodes[..] else { unreachable!("three of them") };
    if peer(cellar, "cellar")["mains"] != true {
        eprintln!("this machine lives off a battery, or does not say: no copy is made here");
        return;
    }

    // How long it takes is known from some that went well.
    let ids: Vec<_> = (0..24).map(|_| attic.submit(&["render", "--idempotent", "--exclude-devices", "barn"])).collect();
    for id in &ids {
        assert_eq!(attic.result(id, PATIENCE)["status"], "completed");
    }

    // Only the one that gets stuck is there to take it; then the other one is, too.
    assert_eq!(cellar.say(&["policy", "pause"]).code, 0);
    until("the pause is known", PATIENCE, || {
        let row = peer(attic, "cellar");
        if row["state"] == "paused" { Ok(()) } else { Err(format!("{row:#}")) }
    });
    let events: Vec<_> = [attic, barn, cellar]
        .map(|node| {
            Running::start(node, dir.path(), &format!("{}.events", node.name), &["events", "-f", "-o", "jsonl"])
        })
        .into();
    let long = ["render", "-p", "how=long", "--idempotent", "--speculative", "--exclude-devices", "attic"];
    let id = attic.submit(&long);
    let log = Running::start(attic, dir.path(), "log", &["logs", "-f", &id]);
    until("it runs", PATIENCE, || {
        let shown = attic.show(&id)?;
        let runs = shown["status"] == "running" && shown["device"] == "barn";
        if runs { Ok(()) } else { Err(format!("{shown:#}")) }
    });
    assert_eq!(cellar.say(&["policy", "resume"]).code, 0);

    let said = "so cellar gets a copy; what that writes follows if this one is over first";
    until("who follows is told of the copy", PATIENCE, || {
        let err = log.err();
        if err.contains("stuck\n") && err.contains(said) { Ok(()) } else { Err(err) }
    });
    assert!(!log.err().contains("quick"), "nothing of it is told before the first one is over");
    let result = attic.result(&id, PATIENCE);
    assert_eq!((&result["status"], &result["device"]), (&"completed".into(), &"cellar".into()), "{result:#}");
    assert_eq!((&result["attempt"], &result["result"]), (&1.into(), &"done".into()), "{result:#}");
    until("the first one is stopped", PATIENCE, || {
        let shown = barn.show(&id)?;
        let rows = shown["attempts"].as_array().cloned().unwrap_or_default();
        let first = rows.iter().any(|row| row["device"] == "barn" && row["outcome"] == "released superseded");
        let copy = rows.iter().any(|row| row["device"] == "cellar" && row["beside"] == rows[0]["epoch"]);
        let idle = peer(barn, "barn")["active_tasks"] == 0;
        if rows.len() == 2 && first && copy && idle { Ok(()) } else { Err(format!("{shown:#}")) }
    });
    let (code, _, err) = log.end();
    let after = err.split_once(said).expect("it was said").1;
    assert!(code == 0 && after.contains("it runs on cellar now") && after.contains("quick\n"), "{err}");
    for (node, listening) in nodes.iter().zip(&events) {
        until(&format!("{} has heard of the copy", node.name), PATIENCE, || {
            let rows: Vec<Value> = listening.out().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            let of = |kind: &str| {
                rows.iter().filter(|row| row["event"] == kind && row["task_id"] == *id).collect::<Vec<_>>()
            };
            let (copies, ends) = (of("task.speculated"), of("on_complete"));
            let right = copies.len() == 1
                && copies[0]["device"] == "cellar"
                && ends.len() == 1
                && ends[0]["device"] == "cellar";
            if right { Ok(()) } else { Err(format!("{copies:?} {ends:?}")) }
        });
    }
    let history = attic.say(&["history", &id]);
    assert!(history.out.contains("copy beside attempt 1"), "{}", history.out);
    assert!(attic.say(&["show", &id]).out.contains("1 copy"));
    let explained = attic.json(&["explain", &id]);
    assert_eq!(explained["placement"]["device"], "cellar", "{explained:#}");
}

#[test]
fn what_may_do_harm_twice_is_not_copied() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, NAMES[0], &["--allow", "command"]);
    node.start();
    let refused = |args: &[&str], word: &str| {
        let said = node.say(args);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(word), "{said:?}");
    };
    let command = ["submit", "command", "--payload", r#"{"argv":["true"]}"#, "--speculative"];
    refused(&command, "--idempotent");
    refused(&["submit", "echo", "-p", "n=1", "--speculative", "--exclusive"], "nothing beside it");
    assert_eq!(node.json(&["ps"]).as_array().map(Vec::len), Some(0), "nothing was accepted");
    let id = node.submit(&[&command[1..], &["--idempotent"]].concat());
    assert_eq!(node.result(&id, PATIENCE)["status"], "completed");
    assert_eq!(node.show(&id).expect("it is there")["speculative"], true);
}
