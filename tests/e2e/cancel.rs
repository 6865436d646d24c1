//! Tasks that are told to stop while they talk to somebody else: a server that says nothing, a program of the owner's. And what such a
//! program says of its progress.

use crate::trio::{NAMES, PATIENCE, Trio, device};
use crate::wait::until;
use std::fs;
use std::net::TcpListener;

/// Waits until a task is cancelled, as the last device sees it, and its own has let go.
fn cancelled(trio: &Trio, id: &str) {
    assert_eq!(trio.nodes[2].say(&["cancel", id]).code, 0);
    until("it is cancelled", PATIENCE, || {
        let shown = trio.nodes[2].show(id)?;
        let free = trio.nodes[1].json(&["status"])["running"] == 0;
        if shown["status"] == "cancelled" && free { Ok(()) } else { Err(format!("{shown:#}")) }
    });
}

#[test]
fn a_request_without_an_answer_is_cancelled() {
    // Connections are taken by the system and never by anybody.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let trio = Trio::start(&["--allow", "http_request", "--http-allow", "127.0.0.0/8"]);
    let url = format!("url=http://{address}/");
    let id = trio.nodes[0].submit(&["http_request", "-p", &url, "--only-devices", NAMES[1]]);
    assert_eq!(trio.runner(&id), 1);
    cancelled(&trio, &id);
}

#[test]
fn a_program_of_the_owners_says_how_far_it_is_and_is_cancelled() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let script = "echo '{\"progress\": 40, \"text\": \"half way\"}' >&2; echo plain >&2; exec sleep 600";
    fs::write(dir.path().join("slow.sh"), script).expect("a file");
    let config = dir.path().join("config.toml");
    fs::write(&config, "[handlers.slow]\ncommand = [\"sh\", \"slow.sh\"]\n").expect("a file");
    let mut node = device(&dir, "attic", &["--config", config.to_str().expect("UTF-8")]);
    node.start();
    let id = node.submit(&["slow"]);
    until("its progress is known", PATIENCE, || {
        let shown = node.show(&id)?;
        let said = shown["progress"] == 40 && shown["progress_text"] == "half way";
        let used = shown["resource_usage"]["max_memory_mb"].is_number();
        if said && used { Ok(()) } else { Err(format!("{shown:#}")) }
    });
    let listed = node.json(&["ps"]);
    assert_eq!((&listed[0]["progress"], &listed[0]["progress_text"]), (&40.into(), &"half way".into()), "{listed:#}");
    let said = node.say(&["show", &id]);
    assert!(said.out.contains("40 % half way"), "{}", said.out);
    // What is no progress is the task's own.
    let logs = node.say(&["logs", &id]);
    assert_eq!((logs.out.as_str(), logs.err.as_str()), ("", "plain\n"));
    assert_eq!(node.say(&["cancel", &id]).code, 0);
    until("it is cancelled", PATIENCE, || {
        let shown = node.show(&id)?;
        if shown["status"] == "cancelled" { Ok(()) } else { Err(format!("{shown:#}")) }
    });
}
