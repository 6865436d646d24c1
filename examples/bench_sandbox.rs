//! What it costs to hold a command: the same small program started plainly, behind filters, and in namespaces. Prints the mean, the
//! median and the 99th percentile of the time from asking for it to its end, with both of its outputs read.
//!
//! `cargo run --release -p rc-node --example bench_sandbox [ROUNDS]`; run it as root and as an ordinary user.

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("there is nothing to measure here yet");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let mut args = std::env::args().skip(1);
    let first = args.next().unwrap_or_default();
    if first == "__worker" {
        // The spawner is this very program, begun anew.
        return rc_node::worker_main(&args.next().unwrap_or_default());
    }
    linux::run(first.parse().unwrap_or(1000));
    std::process::ExitCode::SUCCESS
}

#[cfg(target_os = "linux")]
mod linux {
    use rc_node::sandbox::{Hold, Process, ProcessLimits, Program, Shelter, ShelterConfig, Tier, own_executable};
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};
    use tokio::io::AsyncReadExt;

    #[tokio::main]
    pub(super) async fn run(rounds: usize) {
        let dir = std::env::temp_dir().join(format!("rc-node-bench-{}", std::process::id()));
        make(&dir, 0o711, false);
        println!("/bin/true, {rounds} times one after the other, microseconds");
        println!("{:<22} {:>8} {:>8} {:>8}", "", "mean", "p50", "p99");
        let mut plain = Vec::new();
        for _ in 0..rounds {
            let begin = Instant::now();
            let output = tokio::process::Command::new("/bin/true").env_clear().output().await.expect("it starts");
            assert!(output.status.success());
            plain.push(begin.elapsed());
        }
        let base = report("plain spawn", plain);
        for tier in [Tier::Limits, Tier::Filters, Tier::Namespaces] {
            let program = own_executable().expect("it is known");
            let config = ShelterConfig { program, work_root: dir.clone(), tier_max: tier };
            let shelter = Shelter::new(config).await.expect("a thread");
            if shelter.tier() != tier {
                println!("{:<22} not here: {:?}", tier.text(), shelter.shortfalls());
                continue;
            }
            let work = dir.join(format!("work-{}", tier as u8));
            make(&work, 0o700, true);
            let mut taken = Vec::new();
            for _ in 0..rounds {
                taken.push(once(&shelter, &work).await);
            }
            let mean = report(tier.text(), taken);
            println!("{:<22} {:>8}", "  more than plain", mean.saturating_sub(base).as_micros());
        }
        let _ = std::fs::remove_dir_all(dir);
    }

    async fn once(shelter: &Shelter, work: &Path) -> Duration {
        let begin = Instant::now();
        let program = Program {
            program: "/bin/true".into(),
            args: Vec::new(),
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            cwd: PathBuf::new(),
            stdin: false,
            limits: ProcessLimits { file_bytes: Some(100_000_000), open_files: Some(256), ..ProcessLimits::default() },
        };
        let hold = Hold {
            work: work.to_owned(),
            network: false,
            read: Vec::new(),
            write: Vec::new(),
            processes_max: 64,
            groups: Vec::new(),
        };
        let mut process = shelter.launch(program, &hold).await.expect("it starts");
        drain(&mut process).await;
        let exit = process.wait().await.expect("it ends");
        assert_eq!(exit.code(), 0);
        begin.elapsed()
    }

    async fn drain(process: &mut Process) {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = process.stdout.take() {
            let _ = pipe.read_to_end(&mut bytes).await;
        }
        if let Some(mut pipe) = process.stderr.take() {
            let _ = pipe.read_to_end(&mut bytes).await;
        }
    }

    fn report(name: &str, mut taken: Vec<Duration>) -> Duration {
        taken.sort_unstable();
        let mean = taken.iter().sum::<Duration>() / u32::try_from(taken.len().max(1)).unwrap_or(u32::MAX);
        let at = |percent: usize| taken.get(taken.len() * percent / 100).copied().unwrap_or_default().as_micros();
        println!("{name:<22} {:>8} {:>8} {:>8}", mean.as_micros(), at(50), at(99));
        mean
    }

    fn make(path: &Path, mode: u32, theirs: bool) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::create_dir_all(path).expect("a directory");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its mode");
        let user = rc_node::sandbox::task_user();
        if theirs {
            std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid)).expect("its owner");
        }
    }
}
