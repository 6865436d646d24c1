//! How fast three nodes on loopback are. Not a test of anything: run it with
//! `cargo test --release -p rc-node --test cluster -- --ignored --nocapture`.

use super::support::{Cluster, stop, task};
use std::time::{Duration, Instant};

const SEQUENTIAL: usize = 300;
const AT_ONCE: usize = 10_000;

fn percentiles(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what}: p50 {:?}, p90 {:?}, p99 {:?}, max {:?}", at(50), at(90), at(99), at(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn how_fast() {
    for size in [1, 3] {
        let (_cluster, nodes) = Cluster::start(size).await;
        let handle = nodes[0].handle();
        let (mut accepted, mut ended) = (Vec::new(), Vec::new());
        for n in 0..SEQUENTIAL {
            let start = Instant::now();
            let id = handle.submit(vec![task("echo", &n.to_string())], None).await.unwrap().tasks[0];
            accepted.push(start.elapsed());
            handle.wait(id).await.unwrap();
            ended.push(start.elapsed());
        }
        println!("{size} nodes");
        percentiles("  submit", accepted);
        percentiles("  submit and wait", ended);

        let start = Instant::now();
        let ids =
            handle.submit((0..AT_ONCE).map(|n| task("echo", &n.to_string())).collect(), None).await.unwrap().tasks;
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
        stop(nodes).await;
    }
}
