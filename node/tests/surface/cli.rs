//! The command line as a person or a script uses it: the real binary in front of the pretended node.

use crate::fake::{Served, serve};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rc-node"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RC_NODE_") {
            command.env_remove(name);
        }
    }
    command.env("RC_NODE_CONFIG", "/dev/null").env("RC_NODE_DATA_DIR", dir).args(args).kill_on_drop(true);
    command
}

async fn finish(mut command: Command) -> Said {
    let output = tokio::time::timeout(Duration::from_secs(30), command.output()).await.expect("in time").expect("runs");
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

impl Served {
    async fn say(&self, args: &[&str]) -> Said {
        finish(command(self.dir.path(), args)).await
    }
}

#[tokio::test]
async fn submit_prints_the_id_alone_and_says_how_safe_it_is() {
    let node = serve().await;
    let said = node.say(&["submit", "echo", "-p", "message=hi", "-p", "n=3", "-p", "s=3x"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(said.out.trim().len(), 26);
    assert!(said.err.contains("stored on 2 devices: attic, cellar"), "{}", said.err);
    let shown = node.say(&["show", said.out.trim(), "-o", "json"]).await.json();
    assert_eq!(shown["payload"], serde_json::json!({ "message": "hi", "n": 3, "s": "3x" }));
    let waited = node.say(&["submit", "echo", "--payload", "[1, 2]", "--wait"]).await;
    assert_eq!((waited.code, waited.out.as_str()), (0, "[1, 2]\n"));
    let json = node.say(&["submit", "echo", "-o", "json"]).await.json();
    assert!(json["task_id"].is_string() && json["acks"] == 2);
}

#[tokio::test]
async fn every_requirement_flag_reaches_the_task() {
    let node = serve().await;
    let said = node
        .say(&[
            "submit",
            "echo",
            "--min-memory-gb",
            "512MiB",
            "--min-storage-gb",
            "0.25",
            "--min-cpu-cores",
            "1.5",
            "--required-platform",
            "linux",
            "--arch",
            "arm64",
            "--role",
            "compute",
            "--max-cpu-usage",
            "80",
            "--gpu",
            "--requires-sensors",
            "gps,camera",
            "--exclusive",
            "--exclude-device",
            "attic",
            "--timeout",
            "90s",
            "--max-retries",
            "1",
            "--backoff",
            "fixed",
            "--base-delay",
            "500ms",
            "--retry-on",
            "task_error",
            "--crash-limit",
            "5",
            "--priority",
            "high",
            "--name",
            "n",
            "--label",
            "a=b",
            "--permission",
            "read_files",
            "--idempotency-key",
            "k",
        ])
        .await;
    assert_eq!(said.code, 0, "{}", said.err);
    let shown = node.say(&["show", "last", "-o", "json"]).await.json();
    assert_eq!(
        shown["requirements"],
        serde_json::json!({
            "min_cpu_cores": 1.5, "min_memory_gb": 0.5, "min_storage_gb": 0.25, "required_platform": "linux",
            "required_arch": "aarch64", "required_role": "compute", "max_cpu_usage": 80.0, "requires_gpu": true,
            "requires_sensors": ["camera", "gps"], "exclusive": true, "exclude_devices": ["attic"],
            "timeout_seconds": 90.0
        })
    );
    assert_eq!(
        shown["retry"],
        serde_json::json!({
            "max_retries": 1, "backoff_strategy": "fixed", "base_delay": 0.5, "crash_limit": 5, "max_delay": 60.0,
            "retry_on": ["task_error"]
        })
    );
    assert_eq!(shown["extra"], serde_json::json!({ "name": "n", "labels": { "a": "b" } }));
    assert_eq!(shown["idempotency_key"], "k");
}

#[tokio::test]
async fn exit_codes_are_those_of_the_manual() {
    let node = serve().await;
    for _ in 0..2 {
        assert_eq!(node.say(&["submit", "sleep"]).await.code, 0);
    }
    let id = node.say(&["ps", "--limit", "1", "-o", "id"]).await.out;
    let id = id.trim();
    for (args, code, word) in [
        (&["submit", "fail", "--wait"][..], 1, "invalid_payload: it makes no sense"),
        (&["submit"], 2, "required"),
        (&["submit", "echo", "--payload", "{"], 2, "the payload is not JSON"),
        (&["submit", "echo", "--priority", "asap"], 2, "allowed are background"),
        (&["submit", "echo", "-p", "x"], 2, "has no `=`"),
        (&["submit", "echo", "--only-devices", "nobody"], 2, "nobody"),
        (&["submit", "echo", "--file", "/nonexistent"], 2, "/nonexistent"),
        (&["ps", "--status", "done"], 2, "allowed are pending"),
        (&["show", "zzzz"], 3, "no task's id begins with"),
        (&["result", id], 6, "it is running"),
        (&["wait", id, "--timeout", "300ms"], 6, "has not ended in time"),
        (&["submit", "sleep", "--wait=300ms"], 6, "the task goes on"),
        (&["submit", "echo", "--required-tags", "moon"], 7, "no device has the tag"),
        (&["submit", "echo", "--required-tags", "moon", "--wait=300ms"], 7, "no device has the tag"),
        (&["show", "01"], 8, "ids begin with"),
        (&["cancel", id, "zzzz"], 9, "no task's id begins with"),
        (&["result", id], 1, "was cancelled"),
    ] {
        let said = node.say(args).await;
        assert_eq!(said.code, code, "{args:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(word), "{args:?}: {}", said.err);
        assert!(said.err.lines().count() <= 40, "{}", said.err);
    }
}

#[tokio::test]
async fn exec_is_the_command_as_if_it_ran_here() {
    let node = serve().await;
    let ok = node.say(&["exec", "--timeout", "5s", "--", "exit", "0"]).await;
    assert_eq!((ok.code, ok.out.as_str(), ok.err.as_str()), (0, "out\n", "err\n"));
    assert_eq!(node.say(&["exec", "--", "exit", "3"]).await.code, 3);
    assert_eq!(node.say(&["exec", "--", "exit", "143"]).await.code, 143);
    let late = node.say(&["exec", "--", "late"]).await;
    assert_eq!((late.code, late.out.as_str()), (124, "part\n"));
    let denied = node.say(&["exec", "--", "true"]).await;
    assert_eq!(denied.code, 125);
    assert!(denied.err.contains("permission_denied: not here"), "{}", denied.err);
    let shown = node.say(&["show", "last", "-o", "json"]).await.json();
    let retried = shown["retry"]["retry_on"].as_array().expect("a list").clone();
    assert!(!retried.contains(&Value::from("timeout_error")), "a timeout is final");
}

#[tokio::test]
async fn ctrl_c_takes_back_what_exec_asked_for() {
    let node = serve().await;
    let mut command = command(node.dir.path(), &["exec", "--required-tags", "moon", "--", "exit", "0"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("runs");
    while node.fake.count() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pid = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid as i32)).expect("a child");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("sent");
    let status = tokio::time::timeout(Duration::from_secs(10), child.wait()).await.expect("ends").expect("a status");
    assert_eq!(status.code(), Some(130));
    assert_eq!(node.say(&["show", "last", "-o", "json"]).await.json()["status"], "cancelled");
}

#[tokio::test]
async fn tables_and_ids_are_for_people_and_pipes() {
    let node = serve().await;
    let id = node.say(&["submit", "echo", "--name", "first"]).await.out;
    let peers = node.say(&["peers"]).await.out;
    assert_eq!(
        peers,
        format!(
            "NAME          STATE  ROLE    PLATFORM  ARCH    CORES  CPU   MEMORY  TASKS  ID\n\
             attic (this)  idle   worker  linux     x86_64  4      12 %  4.0 GB  0/5    {}\n\
             cellar        idle   worker  linux     x86_64  4      12 %  4.0 GB  0/5    {}\n",
            crate::fake::ATTIC,
            crate::fake::CELLAR
        )
    );
    assert_eq!(node.say(&["ps", "-o", "id"]).await.out, id);
    let ps = node.say(&["ps"]).await.out;
    assert!(ps.starts_with("ID ") && ps.contains("completed") && ps.contains("first"), "{ps}");
    assert!(!ps.contains('\u{1b}'), "no colours in a pipe");
    let lines = node.say(&["peers", "-o", "jsonl"]).await.out;
    let names: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&names[0]["name"], &names[1]["state"]), (&Value::from("attic"), &Value::from("idle")));
    let explain = node.say(&["explain", "last"]).await.out;
    assert!(explain.contains("cellar  0.800  0.900"), "{explain}");
    assert!(node.say(&["history", "last"]).await.out.contains("leased"));
    assert!(node.say(&["status"]).await.out.contains("2 of 2 heard"));
    assert_eq!(node.say(&["invite"]).await.out, "rc1abc\n");
}

#[tokio::test]
async fn lists_of_tasks_go_in_and_are_waited_for() {
    let node = serve().await;
    let file = node.dir.path().join("tasks.json");
    std::fs::write(&file, r#"[{"task_type":"echo","payload":1},{"task_type":"fail"}]"#).expect("written");
    let file = file.to_str().expect("text");
    let ids = node.say(&["submit", "--file", file]).await;
    let ids: Vec<_> = ids.out.lines().collect();
    assert_eq!(ids.len(), 2);
    let waited = node.say(&["wait", ids[0], ids[1], "-o", "jsonl"]).await;
    assert_eq!((waited.code, waited.out.lines().count()), (9, 2), "{}", waited.err);
    assert_eq!(
        node.say(&["submit", "--file", file, "--wait", "-o", "json"]).await.json().as_array().map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn a_payload_may_come_by_pipe_and_has_a_bound() {
    let node = serve().await;
    for (text, code) in [("{\"a\":1}".to_owned(), 0), ("x".repeat(3 << 20), 2)] {
        let mut command = command(node.dir.path(), &["submit", "echo", "--payload", "-", "--wait"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        // It stops reading when it has seen enough.
        let _ = stdin.write_all(text.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.expect("ends");
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn without_a_node_there_are_three_lines_and_code_5() {
    let dir = tempfile::tempdir().expect("a directory");
    for verb in [&["ps"][..], &["peers"], &["status"], &["show", "last"], &["wait", "last"], &["invite"]] {
        let said = finish(command(dir.path(), verb)).await;
        assert_eq!(said.code, 5, "{verb:?}");
        assert_eq!(said.out, "");
        let lines: Vec<_> = said.err.lines().collect();
        assert_eq!(lines[0], "error: no node runs here");
        assert_eq!(lines.len(), 3, "{}", said.err);
    }
}

#[tokio::test]
async fn a_ticket_is_checked_and_a_cluster_of_one_can_be_left() {
    let dir = tempfile::tempdir().expect("a directory");
    let other = |byte: u8| rc_p2p::Ticket::new(rc_p2p::Secret::from([byte; 32]), []).to_string();
    let join = async |ticket: &str| finish(command(dir.path(), &["join", ticket])).await;
    assert_eq!(join("rc1typo").await.code, 2);
    assert_eq!(join(&other(1)).await.code, 0);
    assert_eq!(join(&other(1)).await.code, 0, "the same cluster again");
    assert_eq!(join(&other(2)).await.code, 0, "nobody was met in the first");
}

#[tokio::test]
async fn every_verb_has_an_example() {
    let dir = tempfile::tempdir().expect("a directory");
    let verbs = [
        "run",
        "demo",
        "invite",
        "join",
        "status",
        "submit",
        "exec",
        "peers",
        "ps",
        "show",
        "result",
        "wait",
        "cancel",
        "explain",
        "history",
        "completions",
    ];
    for verb in verbs {
        let said = finish(command(dir.path(), &[verb, "--help"])).await;
        assert!(said.code == 0 && said.out.contains("rc-node ") && said.out.contains("Example"), "{verb}");
    }
    assert!(finish(command(dir.path(), &["completions", "zsh"])).await.out.contains("#compdef rc-node"));
}
