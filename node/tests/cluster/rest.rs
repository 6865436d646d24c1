//! What has ended leaves memory, and is found, told and forgotten like everything else.

use super::support::{Cluster, PATIENCE, config, result, stop, task, wait};
use rc_node::driver::{DriverError, Handle, NodeStatus};
use rc_node::node::Node;
use rc_scheduler::{DeviceId, Status};
use std::time::{Duration, Instant};

async fn until(handle: &Handle, what: &str, enough: impl Fn(&NodeStatus) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = handle.status().await.unwrap();
        if enough(&status) {
            return;
        }
        assert!(Instant::now() < deadline, "never happened: {what}; {status:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rests_on_disk_is_told_as_if_it_were_in_memory() {
    let (cluster, mut nodes) = Cluster::start(2).await;
    let handle = nodes[0].handle();
    let tasks = (0..30).map(|n| task("echo", &format!("{{\"n\":{n}}}"))).collect();
    let ids = handle.submit(tasks, None).await.unwrap().tasks;
    for id in &ids {
        wait(&handle, *id).await;
    }
    for node in &nodes {
        until(&node.handle(), "all of them rest", |status| status.tasks_resting == ids.len()).await;
    }
    for round in ["at rest", "after a restart"] {
        for node in &nodes {
            let handle = node.handle();
            let report = handle.task(ids[7]).await.unwrap();
            assert_eq!((report.status, result(&report)["n"].as_u64()), (Status::Completed, Some(7)), "{round}");
            assert_eq!(wait(&handle, ids[8]).await.status, Status::Completed);
            assert_eq!(handle.cancel(ids[9]).await.unwrap(), Status::Completed);
            assert!(handle.history(ids[7]).await.unwrap().iter().any(|row| row.fact == "settled"));
            assert_eq!(handle.explain(ids[7]).await.unwrap().status, Status::Completed);
            let (rows, silent) = handle.list(100).await.unwrap();
            assert_eq!((rows.len(), silent), (ids.len(), Vec::<DeviceId>::new()), "{round}");
            assert!(rows.iter().all(|row| row.status == Status::Completed && row.payload.is_empty()));
            let text = ids[3].to_string();
            assert_eq!(handle.find(text[..25].to_owned()).await.unwrap(), [ids[3]]);
            assert_eq!(handle.status().await.unwrap().tasks_kept, ids.len());
        }
        let first = nodes.remove(0);
        first.stop().await;
        nodes.insert(0, Node::start(config(cluster.dirs[0].path(), "n0", &[&nodes[0]])).await.unwrap());
        assert_eq!(nodes[0].handle().status().await.unwrap().tasks_resting, ids.len());
        super::support::until(&nodes[0].handle(), "both are up", |peers| {
            peers.len() == 2 && peers.iter().all(|peer| peer.state != "suspect" && peer.record.is_some())
        })
        .await;
    }
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_more_than_are_kept_the_oldest_are_forgotten_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let settings = || {
        let mut config = config(dir.path(), "n", &[]);
        config.keep_tasks = 20;
        config
    };
    let node = Node::start(settings()).await.unwrap();
    let handle = node.handle();
    let mut ids = Vec::new();
    for n in 0..100 {
        ids.extend(handle.submit(vec![task("echo", &n.to_string())], None).await.unwrap().tasks);
    }
    for id in &ids {
        wait(&handle, *id).await;
    }
    until(&handle, "only so many are left", |status| {
        status.tasks_resting == status.tasks_kept && status.tasks_kept <= 21
    })
    .await;
    assert!(matches!(handle.task(ids[0]).await, Err(DriverError::NotFound)));
    assert_eq!(handle.task(ids[99]).await.unwrap().status, Status::Completed);
    let kept = handle.status().await.unwrap().tasks_kept;
    node.stop().await;

    let node = Node::start(settings()).await.unwrap();
    let handle = node.handle();
    assert_eq!(handle.status().await.unwrap().tasks_kept, kept);
    assert!(matches!(handle.task(ids[0]).await, Err(DriverError::NotFound)));
    let new = handle.submit(vec![task("echo", "100")], None).await.unwrap().tasks[0];
    assert_eq!(wait(&handle, new).await.status, Status::Completed, "its number is not one of those that are buried");
    node.stop().await;
}
