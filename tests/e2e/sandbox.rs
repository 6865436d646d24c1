//! What a command may do on a device, seen from where people sit: it cannot hurt it, and a task that asks for more than a device
//! can hold is not placed there and says why.

use crate::device::Device;
use crate::trio::device;
use serde_json::{Value, json};

fn submit(node: &Device, dir: &tempfile::TempDir, task: &Value) -> (i32, String) {
    let file = dir.path().join("task.json");
    std::fs::write(&file, task.to_string()).expect("a file");
    let said = node.say(&["submit", "--file", file.to_str().expect("UTF-8"), "-o", "json"]);
    let id = said.json()["task_id"].as_str().expect("an id").to_owned();
    (said.code, id)
}

#[test]
fn a_command_cannot_read_what_is_the_nodes_and_says_how_it_was_held() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, "attic", &["--allow", "command"]);
    node.start();
    let peers = node.json(&["peers"]);
    let (level, enforces) = (peers[0]["sandbox_level"].as_u64().expect("a level"), &peers[0]["enforces"]);
    if level == 0 {
        eprintln!("SKIPPED: this system holds nothing; enforced is {enforces}");
        return;
    }
    assert_eq!(enforces.as_array().map(|list| list.contains(&json!("network"))), Some(true), "{peers}");
    let found = node.say(&[
        "exec",
        "--",
        "sh",
        "-c",
        "id -u; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c RC_NODE_DATA_DIR",
    ]);
    let lines: Vec<_> = found.out.lines().collect();
    assert!(lines[0] != "0" && lines.get(1).is_none_or(|count| *count == "0"), "{found:?}");
    let data = node.dir.display().to_string();
    let said = node.say(&["exec", "--", "ls", &data]);
    assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
}

/// Processes that have this word among their arguments.
fn alive_with(word: &str) -> usize {
    let entries = std::fs::read_dir("/proc").expect("the process table").flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|arg| arg == word.as_bytes())).count()
}

#[test]
fn nothing_that_a_command_started_outlives_a_node_that_is_killed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, "attic", &["--allow", "command"]);
    node.start();
    if node.json(&["peers"])[0]["sandbox_level"] == 0 {
        eprintln!("SKIPPED: this system holds nothing");
        return;
    }
    // A word that no other process has.
    let word = format!("3600.{}", std::process::id());
    let line = format!("(setsid sleep {word} &) ; (sleep {word} & sleep {word} &) ; trap '' TERM; sleep {word}");
    node.submit(&["command", "--payload", &json!({"command": line, "shell": true}).to_string()]);
    let started = || if alive_with(&word) >= 3 { Ok(()) } else { Err(format!("{} run", alive_with(&word))) };
    crate::wait::until("they run", crate::trio::PATIENCE, started);
    node.kill();
    let gone = || if alive_with(&word) == 0 { Ok(()) } else { Err(format!("{} are left", alive_with(&word))) };
    crate::wait::until("nobody is left", crate::trio::PATIENCE, gone);
}

#[test]
fn a_limit_that_no_device_can_enforce_keeps_a_task_waiting_and_explain_says_which() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, "attic", &["--allow", "command"]);
    node.start();
    let payload = json!({"argv": ["echo", "held"]});
    let enforces = node.json(&["peers"])[0]["enforces"].clone();
    let can = |what: &str| enforces.as_array().expect("a list").contains(&json!(what));
    for (limit, sandbox) in [
        ("cpu", json!({"cpu_limit": 50})),
        ("network", json!({"allow_network": false})),
        ("filesystem", json!({"allow_filesystem": false})),
        ("memory", json!({"memory_limit": "200MB"})),
        ("file_size", json!({"max_file_size": "1MB"})),
    ] {
        let task = json!({"task_type": "command", "payload": payload, "sandbox": sandbox});
        let (code, id) = submit(&node, &dir, &task);
        if can(limit) {
            assert_eq!(code, 0, "{limit}");
            assert_eq!(node.result(&id, std::time::Duration::from_secs(30))["stdout"], "held\n", "{limit}");
        } else {
            assert_eq!(code, 7, "{limit}");
            let said = node.say(&["explain", &id]);
            assert!(said.out.contains(&format!("cannot enforce {limit}")), "{said:?}");
        }
    }
    if !can("cpu") {
        let said = node.say(&["submit", "command", "--payload", r#"{"argv":["true"]}"#, "--cpu-limit", "50"]);
        assert_eq!(said.code, 7, "{said:?}");
    }
    let big = ["exec", "--max-file-size", "1000", "--", "sh", "-c", "head -c 5000 /dev/zero >f; stat -c %s f"];
    assert_eq!(node.say(&big).out, "1000\n");
    // What the owner does not grant is not placed either.
    let task = json!({"task_type": "command", "payload": payload, "sandbox": {"allow_network": true}});
    let (code, id) = submit(&node, &dir, &task);
    let said = node.say(&["explain", &id]);
    assert!(code == 7 && said.out.contains("network_access"), "{said:?}");
}

/// Control groups of nodes with this process id.
fn groups_of(pid: &str) -> Vec<String> {
    let dirs = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory", "/sys/fs/cgroup"];
    let entries = dirs.iter().flat_map(|dir| std::fs::read_dir(dir).into_iter().flatten().flatten());
    let own = format!("rc-node-{pid}-");
    entries.map(|entry| entry.path().display().to_string()).filter(|path| path.contains(&own)).collect()
}

#[test]
fn what_a_killed_node_left_of_control_groups_goes_with_its_next_start() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, "attic", &["--allow", "command"]);
    node.start();
    if !node.json(&["peers"])[0]["enforces"].as_array().expect("a list").contains(&json!("cpu")) {
        eprintln!("SKIPPED: no control groups can be made here");
        return;
    }
    let pid = std::fs::read_dir("/proc").expect("there is one").flatten().find_map(|process| {
        let environ = std::fs::read(process.path().join("environ")).ok()?;
        let line = std::fs::read(process.path().join("cmdline")).ok()?;
        let data = format!("RC_NODE_DATA_DIR={}", node.dir.display());
        let ours = environ.split(|byte| *byte == 0).any(|variable| variable == data.as_bytes());
        let node = line.split(|byte| *byte == 0).nth(1) == Some(b"run");
        (ours && node).then(|| process.file_name().to_string_lossy().into_owned())
    });
    let pid = pid.expect("it runs");
    // One with a task in it.
    let payload = json!({"argv": ["sleep", "600"]}).to_string();
    let id = node.submit(&["command", "--payload", &payload, "--cpu-limit", "50", "--memory-limit", "100MB"]);
    crate::wait::until("it runs", std::time::Duration::from_secs(30), || {
        let shown = node.show(&id)?;
        if shown["status"] == "running" { Ok(()) } else { Err(format!("{shown:#}")) }
    });
    assert!(!groups_of(&pid).is_empty() || !std::path::Path::new("/sys/fs/cgroup/cpu").exists());
    node.kill();
    node.start();
    crate::wait::until("they are gone", std::time::Duration::from_secs(30), || {
        let left = groups_of(&pid);
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}
