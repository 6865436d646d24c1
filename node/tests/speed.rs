//! How fast three nodes on loopback are. Not a test of anything: run it with
//! `cargo test --release -p rc-node --test speed -- --ignored --nocapture`.

use rc_node::identity;
use rc_node::node::{Node, NodeConfig};
use rc_scheduler::{NewTask, TaskSpec};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SEQUENTIAL: usize = 300;
const AT_ONCE: usize = 10_000;

fn echo(n: usize) -> NewTask {
    let spec = TaskSpec { task_type: "echo".to_owned(), ..TaskSpec::default() };
    NewTask { spec, payload: n.to_string().into_bytes().into() }
}

async fn cluster(size: usize) -> (Vec<TempDir>, Vec<Node>) {
    let dirs: Vec<_> = (0..size).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut nodes: Vec<Node> = Vec::new();
    for (n, dir) in dirs.iter().enumerate() {
        if let Some(first) = nodes.first() {
            identity::join(dir.path(), &first.handle().invite().await.unwrap().parse().unwrap()).unwrap();
        }
        let mut config = NodeConfig::new(dir.path(), format!("n{n}"));
        config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
        config.mdns = false;
        config.allow.remove("python_eval");
        nodes.push(Node::start(config).await.unwrap());
    }
    for node in &nodes {
        while node.handle().status().await.unwrap().peers_up < size {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    (dirs, nodes)
}

fn percentiles(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what}: p50 {:?}, p90 {:?}, p99 {:?}, max {:?}", at(50), at(90), at(99), at(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn how_fast() {
    for size in [1, 3] {
        let (_dirs, nodes) = cluster(size).await;
        let handle = nodes[0].handle();
        let (mut accepted, mut ended) = (Vec::new(), Vec::new());
        for n in 0..SEQUENTIAL {
            let start = Instant::now();
            let id = handle.submit(vec![echo(n)], None).await.unwrap().tasks[0];
            accepted.push(start.elapsed());
            handle.wait(id).await.unwrap();
            ended.push(start.elapsed());
        }
        println!("{size} nodes");
        percentiles("  submit", accepted);
        percentiles("  submit and wait", ended);

        let start = Instant::now();
        let ids = handle.submit((0..AT_ONCE).map(echo).collect(), None).await.unwrap().tasks;
        let stored = start.elapsed();
        let mut ends = handle.wait_many(ids).await.unwrap();
        let mut first = None;
        let mut count = 0;
        while let Some((_, report)) = ends.recv().await {
            report.unwrap();
            first.get_or_insert_with(|| start.elapsed());
            count += 1;
        }
        let took = start.elapsed();
        let rate = f64::from(count) / took.as_secs_f64();
        println!("  {count} at once: accepted after {stored:?}, first end {first:?}, all {took:?}, {rate:.0}/s");
        for node in nodes {
            node.stop().await;
        }
    }
}
