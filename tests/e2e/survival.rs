//! What was accepted is done, whoever dies.

use crate::trio::{NAMES, PATIENCE, Trio, device};
use crate::wait::until;

#[test]
fn a_task_given_to_any_node_is_known_to_all() {
    let trio = Trio::start(&[]);
    for (at, node) in trio.nodes.iter().enumerate() {
        let said = node.say(&["submit", "echo", "-p", &format!("n={at}"), "-o", "json"]);
        assert_eq!(said.code, 0, "{said:?}");
        let accepted = said.json();
        assert!(accepted["acks"].as_u64() >= Some(2), "{accepted:#}");
        let id = accepted["task_id"].as_str().expect("an id");
        for asked in &trio.nodes {
            let result = asked.result(id, PATIENCE);
            assert_eq!((&result["status"], &result["result"]["n"]), (&"completed".into(), &at.into()), "{result:#}");
            assert!(result["disks"].as_u64() >= Some(2), "{result:#}");
        }
    }
    for node in &trio.nodes {
        assert_eq!(node.json(&["ps"]).as_array().map(Vec::len), Some(3));
    }
}

#[test]
fn everyone_says_running_of_a_task_that_runs() {
    let trio = Trio::start(&[]);
    let id = trio.nodes[0].submit(&["sleep", "-p", "duration=30", "--exclude-devices", NAMES[0]]);
    let holder = trio.runner(&id);
    for node in &trio.nodes {
        until("it says running", PATIENCE / 3, || {
            let shown = node.show(&id)?;
            let same = shown["status"] == "running" && shown["device"] == NAMES[holder];
            if same { Ok(()) } else { Err(format!("{}: {shown:#}", node.name)) }
        });
    }
}

#[test]
fn a_task_outlives_its_holder_and_then_its_acceptor() {
    let mut trio = Trio::start(&[]);
    let id = trio.nodes[0].submit(&["sleep", "-p", "duration=3", "--exclude-devices", NAMES[0], "--ack", "3"]);
    let first = trio.runner(&id);
    trio.nodes[first].kill();
    let (shown, _) = until("it is leased again", PATIENCE, || {
        let shown = trio.nodes[0].show(&id)?;
        if shown["attempts"].as_array().map_or(0, Vec::len) == 2 { Ok(shown) } else { Err(format!("{shown:#}")) }
    });
    let last = 3 - first;
    assert_eq!(shown["attempts"][0]["device"], NAMES[first], "{shown:#}");
    assert_eq!(shown["attempts"][1]["device"], NAMES[last], "{shown:#}");
    trio.nodes[0].kill();
    let result = trio.nodes[last].result(&id, PATIENCE);
    assert_eq!((&result["status"], &result["device"]), (&"completed".into(), &NAMES[last].into()), "{result:#}");
    let history = trio.nodes[last].json(&["history", &id]);
    let leases = history.as_array().expect("a list").iter().filter(|row| row["fact"] == "leased").count();
    assert!(leases >= 2, "{history:#}");
    // Those that were away learn how it ended.
    trio.nodes[0].start();
    trio.nodes[first].start();
    for node in &trio.nodes {
        assert_eq!(node.result(&id, PATIENCE)["epoch"], result["epoch"]);
    }
}

#[test]
fn everything_ends_after_all_nodes_were_killed_and_started() {
    let mut trio = Trio::start(&["--max-concurrent-tasks", "2"]);
    let mut ids = Vec::new();
    for round in 0..4 {
        for node in &trio.nodes {
            ids.push(node.submit(&["sleep", "-p", &format!("duration={}", 0.3 * f64::from(round))]));
        }
    }
    let done = trio.nodes[0].submit(&["echo", "--payload", "[7]"]);
    let before = trio.nodes[0].result(&done, PATIENCE);
    for node in &mut trio.nodes {
        node.kill();
    }
    for node in &mut trio.nodes {
        node.spawn();
    }
    for node in &mut trio.nodes {
        node.ready();
    }
    for node in &trio.nodes {
        for id in &ids {
            assert_eq!(node.result(id, PATIENCE)["status"], "completed");
        }
        assert_eq!(node.result(&done, PATIENCE)["epoch"], before["epoch"]);
    }
}

#[test]
fn a_cancelled_task_is_cancelled_everywhere() {
    let trio = Trio::start(&[]);
    let id = trio.nodes[0].submit(&["sleep", "-p", "duration=600", "--exclude-devices", NAMES[0]]);
    let holder = trio.runner(&id);
    // By one that neither accepted nor runs it.
    let said = trio.nodes[3 - holder].say(&["cancel", &id]);
    assert_eq!(said.code, 0, "{said:?}");
    for node in &trio.nodes {
        let result = node.result(&id, PATIENCE);
        assert_eq!(result["status"], "cancelled", "{result:#}");
    }
}

#[test]
fn a_data_directory_in_use_refuses_a_second_node() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut first = device(&dir, "attic", &[]);
    first.start();
    let said = first.say(&["run", "--no-mdns", "--listen", "127.0.0.1:0", "--http", "off"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("already runs here") && said.err.contains(&*first.dir.to_string_lossy()), "{said:?}");
    assert!(first.is_alive());
    // A lock that a dead node left is none.
    first.kill();
    first.start();
}

#[test]
fn the_demo_shows_three_nodes_and_their_tasks() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let said = device(&dir, "demo", &[]).say(&["demo"]);
    assert_eq!(said.code, 0, "{said:?}");
    for word in ["old-laptop", "phone", "nas", "echo", "sleep"] {
        assert!(said.out.contains(word), "{word}: {said:?}");
    }
}
