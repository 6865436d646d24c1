//! They find each other, share work, restart, and stop without losing anything.

use super::support::{Cluster, PATIENCE, config, result, stop, task, until, wait};
use rc_node::driver::DriverError;
use rc_node::node::{Node, NodeConfig, NodeError};
use rc_scheduler::{DeviceId, Reason, Status, TaskId};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_run_what_each_is_given() {
    let (_cluster, nodes) = Cluster::start(3).await;
    for (n, node) in nodes.iter().enumerate() {
        let handle = node.handle();
        let accepted = handle.submit(vec![task("echo", &format!("{{\"n\":{n}}}"))], None).await.unwrap();
        assert!(accepted.disks.len() >= 2 && accepted.disks[0] == node.id(), "{accepted:?}");
        let id = accepted.tasks[0];
        assert_eq!(handle.find("last".to_owned()).await.unwrap(), [id]);
        let report = wait(&handle, id).await;
        assert_eq!(report.status, Status::Completed, "{report:#?}");
        assert!(report.disks >= 2, "{report:#?}");
        assert_eq!(result(&report)["n"], n);
        for other in &nodes {
            let seen = wait(&other.handle(), id).await;
            assert_eq!((seen.status, seen.acceptor), (Status::Completed, Some(node.id())));
        }
        let rows = handle.history(id).await.unwrap();
        assert_eq!(rows.first().unwrap().fact, "submitted");
        assert!(rows.iter().any(|row| row.fact == "settled"));
    }
    let (rows, silent) = nodes[0].handle().list(100).await.unwrap();
    assert_eq!((rows.len(), silent), (3, Vec::<DeviceId>::new()));
    assert!(rows.iter().all(|row| row.payload.is_empty() && row.spec.is_some()));
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_waited_for_at_once() {
    let (_cluster, nodes) = Cluster::start(3).await;
    let handle = nodes[1].handle();
    let tasks = (0..200).map(|n| task("echo", &n.to_string())).collect();
    let accepted = handle.submit(tasks, None).await.unwrap();
    // From a device that did not accept them, too.
    for node in &nodes[1..] {
        let mut ends = node.handle().wait_many(accepted.tasks.clone()).await.unwrap();
        let mut seen = std::collections::BTreeSet::new();
        while let Some((id, report)) = tokio::time::timeout(PATIENCE, ends.recv()).await.unwrap() {
            assert_eq!(report.unwrap().status, Status::Completed);
            assert!(seen.insert(id), "told twice");
        }
        assert_eq!(seen, accepted.tasks.iter().copied().collect());
    }
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_run_at_once_as_there_are_slots() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(NodeConfig { max_concurrent_tasks: 1_024, ..config(dir.path(), "n0", &[]) }).await.unwrap();
    let handle = node.handle();
    let tasks = (0..1_024).map(|_| task("sleep", r#"{"duration": 600}"#)).collect();
    let accepted = handle.submit(tasks, None).await.unwrap();
    let begun = Instant::now();
    while handle.status().await.unwrap().running < 1_024 {
        assert!(begun.elapsed() < PATIENCE, "{:?}", handle.status().await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for id in accepted.tasks {
        let report = handle.task(id).await.unwrap();
        assert_eq!((report.status, report.attempts.len()), (Status::Running, 1), "{report:#?}");
    }
    stop(vec![node]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_keeps_tasks_and_finds_the_others_again() {
    let (cluster, mut nodes) = Cluster::start(3).await;
    let handle = nodes[0].handle();
    let done = handle.submit(vec![task("echo", "1")], None).await.unwrap().tasks[0];
    wait(&handle, done).await;
    let long = handle.submit(vec![task("sleep", "{\"duration\":60}")], None).await.unwrap().tasks[0];

    let before = nodes.remove(0);
    let (id, address) = (before.id(), before.listening());
    before.stop().await;
    assert!(matches!(handle.task(done).await, Err(DriverError::Stopping)));
    let others = nodes.iter().map(Node::id).collect::<Vec<_>>();

    // It is told no addresses this time: it remembers them.
    let after = Node::start(config(cluster.dirs[0].path(), "n0", &[])).await.unwrap();
    assert_eq!((after.id(), after.listening()), (id, address));
    let handle = after.handle();
    assert_eq!(handle.status().await.unwrap().incarnation.boots, 2);
    assert_eq!(handle.find("last".to_owned()).await.unwrap(), [long]);
    assert_eq!(handle.task(done).await.unwrap().status, Status::Completed);
    assert!(!handle.task(long).await.unwrap().status.is_terminal());
    until(&handle, "it is among the others again", |peers| {
        peers.iter().filter(|peer| others.contains(&peer.id) && peer.address.is_some()).count() == others.len()
    })
    .await;
    handle.cancel(long).await.unwrap();
    assert_eq!(wait(&handle, long).await.status, Status::Cancelled);
    nodes.push(after);
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_says_where_it_stands_and_why() {
    let (_cluster, nodes) = Cluster::start(3).await;
    let handle = nodes[2].handle();
    let mut choosy = task("echo", "1");
    choosy.spec.requirements.required_tags.insert("nowhere".to_owned());
    let running = task("sleep", "{\"duration\":600}");
    let ids = handle.submit(vec![choosy, running], None).await.unwrap().tasks;

    let report = handle.task(ids[0]).await.unwrap();
    assert_eq!((report.status, report.reason), (Status::Pending, Some(Reason::NoEligibleDevice)), "{report:#?}");
    assert!(report.detail.as_deref().unwrap().contains("nowhere"), "{report:#?}");
    let why = handle.explain(ids[0]).await.unwrap();
    assert_eq!(why.rows.len(), 3);
    assert!(why.rows.iter().all(|row| !row.unmet.is_empty() && !row.chosen), "{why:#?}");

    let deadline = Instant::now() + PATIENCE;
    loop {
        let report = handle.task(ids[1]).await.unwrap();
        if report.status == Status::Running {
            assert_eq!(report.attempts.last().unwrap().outcome, "running");
            break;
        }
        assert!(Instant::now() < deadline, "{report:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for id in ids {
        handle.cancel(id).await.unwrap();
        assert_eq!(wait(&handle, id).await.status, Status::Cancelled);
    }
    let unknown = handle.task(TaskId([7; 16])).await;
    assert!(matches!(unknown, Err(DriverError::NotFound)), "{unknown:?}");
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ran_on_a_node_that_stops_is_run_elsewhere() {
    let (_cluster, mut nodes) = Cluster::start(3).await;
    let handle = nodes[0].handle();
    let only = nodes[2].id();
    let mut first = task("sleep", "{\"duration\":1.5}");
    first.spec.retry.max_retries = 0;
    let ids = handle.submit(vec![first; 6], None).await.unwrap().tasks;
    let deadline = Instant::now() + PATIENCE;
    while nodes[2].handle().status().await.unwrap().running == 0 {
        assert!(Instant::now() < deadline, "nothing was given to {only}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    nodes.remove(2).stop().await;
    for id in ids {
        let report = wait(&handle, id).await;
        // Stopping is not the task's fault: it costs no attempt, even if there is only one.
        assert_eq!(report.status, Status::Completed, "{report:#?}");
        assert!(report.attempts.iter().all(|attempt| attempt.attempt == 1), "{report:#?}");
    }
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(config(dir.path(), "first", &[])).await.unwrap();
    let error = Node::start(config(dir.path(), "second", &[])).await.unwrap_err();
    assert!(matches!(error, NodeError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
    node.stop().await;
    Node::start(config(dir.path(), "third", &[])).await.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_before_a_stop_is_there_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(config(dir.path(), "alone", &[])).await.unwrap();
    let handle = node.handle();
    let tasks = (0..500).map(|n| task("sleep", &format!("{{\"duration\":{}}}", 600 + n))).collect();
    let accepted = handle.submit(tasks, Some(1)).await.unwrap();
    node.stop().await;
    let node = Node::start(config(dir.path(), "alone", &[])).await.unwrap();
    assert_eq!(node.handle().status().await.unwrap().tasks_open, accepted.tasks.len());
    node.stop().await;
}
