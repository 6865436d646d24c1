//! Processes of tasks do not outlive a node that is killed: the kernel ends them, as nobody else can.
#![cfg(any(target_os = "linux", target_os = "android"))]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rc_node::sandbox::{Launcher, PlainLauncher, ProcessLimits, Program};

const ROLE: &str = "RC_NODE_TEST_ROLE";

/// Not a test of its own: the process that the test below kills. Starts a program from a runtime thread that ends
/// right away, tells its process id, and waits.
#[test]
fn a_process_with_a_child() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let launcher = PlainLauncher::new().unwrap();
    let program = Program {
        program: "/bin/sleep".into(),
        args: vec!["1000".into()],
        env: Vec::new(),
        cwd: "/".into(),
        stdin: false,
        limits: ProcessLimits::default(),
    };
    let started = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let process = runtime.block_on(launcher.launch(program)).unwrap();
        (launcher, process, runtime)
    });
    let (_launcher, process, _runtime) = started.join().unwrap();
    println!("\nchild {}", process.id());
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_node_takes_its_processes_along_but_a_thread_that_ends_does_not() {
    let mut node = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_with_a_child", "--nocapture"])
        .env(ROLE, "node")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(node.stdout.take().unwrap()).lines();
    let pid = lines.map(Result::unwrap).find_map(|line| line.strip_prefix("child ").map(str::to_owned)).unwrap();
    // A zombie counts as gone: it waits for whoever adopted it.
    let stat = || std::fs::read_to_string(Path::new("/proc").join(&pid).join("stat")).unwrap_or_default();
    let alive = || !stat().is_empty() && !stat().contains(") Z ");
    assert!(alive(), "the thread that asked for it is gone");
    node.kill().unwrap();
    node.wait().unwrap();
    let begin = Instant::now();
    while alive() {
        assert!(begin.elapsed().as_secs() < 10, "process {pid} outlived its node");
        std::thread::sleep(Duration::from_millis(5));
    }
}
