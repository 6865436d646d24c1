//! What control groups keep: processor time and memory of all processes of a task together.

use super::cell::{attack, cells, quick};
use rc_node::handlers::{ErrorClass, SandboxAsk, TaskLimits};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Directories of groups that this process's shelters have made.
fn left() -> Vec<String> {
    let own = format!("rc-node-{}-", std::process::id());
    let dirs = ["cpu", "memory", "pids"].map(|name| Path::new("/sys/fs/cgroup").join(name));
    let entries = dirs.iter().flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten());
    let names = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own));
    names
        .flat_map(|dir| fs::read_dir(dir.path()).into_iter().flatten().flatten())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.path().display().to_string())
        .collect()
}

#[tokio::test]
async fn processor_time_is_that_of_all_processes_together() {
    for cell in cells().await {
        if !cell.shelter.limits_cpu() {
            eprintln!("SKIPPED for {}: {:?}", cell.tier.text(), cell.shelter.shortfalls());
            continue;
        }
        let sandbox = SandboxAsk { cpu_percent: Some(20.0), ..SandboxAsk::default() };
        let limits = TaskLimits { sandbox, timeout: Duration::from_secs(60), ..quick() };
        // Three that would take all they can get.
        let script = "for n in 1 2 3; do (while :; do :; done) & done; sleep 1.5; kill $(jobs -p); exit 0";
        let (ctx, done) = cell.run_with(limits, json!({ "command": script, "shell": true })).await;
        done.expect("it ends by itself");
        let used = ctx.usage().cpu_micros.expect("it was measured");
        assert!((50_000..600_000).contains(&used), "{}: {used} us in 1.5 s at 20 %", cell.tier.text());
        assert_eq!(left(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn memory_beyond_the_limit_ends_the_task_and_says_so() {
    for cell in cells().await {
        let sandbox = SandboxAsk { memory_bytes: Some(64 << 20), ..SandboxAsk::default() };
        let limits = TaskLimits { sandbox, memory_bytes_max: Some(64 << 20), ..quick() };
        // Shared memory, which no limit on a single process counts.
        let grab = "m = mmap.mmap(-1, 400 << 20)\nfor at in range(0, 400 << 20, 4096):\n    m[at] = 1\nprint('got it', flush=True)";
        let (ctx, done) = cell.run_with(limits, attack(grab)).await;
        let error = done.unwrap_err();
        assert_eq!(error.class, ErrorClass::ResourceExhausted, "{}: {}", cell.tier.text(), error.message);
        assert!(error.message.contains("memory"), "{}", error.message);
        assert!(!ctx.captured().0.text().contains("got it"));
        assert_eq!(left(), Vec::<String>::new());
    }
}
