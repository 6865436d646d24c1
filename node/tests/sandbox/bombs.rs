//! Too much of everything: processes, memory, disk, output.

use std::time::{Duration, Instant};

use super::cell::{alive_with, attack, cells, eventually, quick, token};
use rc_node::handlers::{ErrorClass, TaskHandler, TaskLimits};
use rc_node::sandbox::Tier;
use serde_json::json;

#[tokio::test]
async fn a_fork_bomb_is_bounded_and_nobody_survives_it() {
    for cell in cells().await {
        let token = token();
        let limits = TaskLimits { processes_max: 24, ..quick() };
        let script = format!(
            r#"
made = 0
try:
    while made < 10000:
        if os.fork() == 0:
            os.execv("/bin/sleep", ["sleep", "{token}"])
        made += 1
except OSError as e:
    print(f"made: {{made}} {{errno.errorcode[e.errno]}}", flush=True)
time.sleep(1000)
"#
        );
        let ctx = cell.ctx(limits.clone());
        let stop = async {
            eventually("it cannot make more", || ctx.captured().0.text().contains("made")).await;
            ctx.cancel_token().cancel();
        };
        let (done, ()) = tokio::join!(cell.handler.execute(ctx.clone(), attack(&script)), stop);
        assert_eq!(done.unwrap_err().class, ErrorClass::Preempted);
        let text = ctx.captured().0.text();
        let made: u32 =
            text.strip_prefix("made: ").and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap_or(99_999);
        assert!((1..=40).contains(&made) && text.contains("EAGAIN"), "{}: {text}", cell.tier.text());
        eventually("all of them are gone", || alive_with(&token).is_empty()).await;

        // The classic, which never stops to look.
        let bomb = format!("f() {{ sh -c 'exec sleep {token}' & f | f & }}; f; sleep {token}");
        let payload = json!({"command": bomb, "shell": true, "timeout": 1.0});
        let (_, done) = cell.run_with(limits, payload).await;
        assert!(done.is_err() || cell.tier == Tier::Filters);
        eventually("all of them are gone", || alive_with(&token).is_empty()).await;
        assert_eq!(cell.shell("echo fine").await, "fine\n", "the device is as it was");
    }
}

#[tokio::test]
async fn memory_ends_at_the_limit_for_one_process_and_for_all_together() {
    for cell in cells().await {
        let limits = TaskLimits { memory_bytes_max: Some(128 << 20), ..quick() };
        let (_, done) = cell.run_with(limits.clone(), attack(r#"attempt("one", lambda: bytearray(1 << 30))"#)).await;
        assert_eq!(done.unwrap()["stdout"], "one: MemoryError\n", "{}", cell.tier.text());

        let many = r#"
for _ in range(8):
    if os.fork() == 0:
        held = bytearray(b"x") * (50 << 20)
        time.sleep(1000)
time.sleep(1000)
"#;
        let shared = r#"
held = mmap.mmap(-1, 1 << 30)
for at in range(0, 1 << 30, 4096): held[at] = 1
time.sleep(1000)
"#;
        for script in [many, shared] {
            let begin = Instant::now();
            let (ctx, done) = cell.run_with(limits.clone(), attack(script)).await;
            let error = done.unwrap_err();
            assert_eq!(error.class, ErrorClass::ResourceExhausted, "{}: {error}", cell.tier.text());
            assert!(error.message.contains("memory"), "{error}");
            assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
            assert!(ctx.usage().memory_bytes_max.is_some_and(|bytes| bytes > 128 << 20), "{:?}", ctx.usage());
        }
    }
}

#[tokio::test]
async fn a_disk_is_not_filled() {
    for cell in cells().await {
        let limits = TaskLimits { file_bytes_max: 1 << 20, disk_bytes_max: 8 << 20, ..quick() };
        let payload = json!({"command": "head -c 5000000 /dev/zero >big; stat -c %s big", "shell": true});
        let (_, done) = cell.run_with(limits.clone(), payload).await;
        assert_eq!(done.unwrap()["stdout"], "1048576\n", "one file");

        let many = json!({"argv": ["sh", "-c", "i=0; while :; do i=$((i+1)); head -c 500000 /dev/zero >$TMPDIR/f$i || exit 1; done"], "timeout": 60});
        let small = attack(
            r#"
for directory in range(100000):
    os.mkdir(f"d{directory}"); os.chdir(f"d{directory}")
    for n in range(300):
        with open(str(n), "wb") as f: f.write(b"x" * 5000)
"#,
        );
        for payload in [many, small] {
            let (_, done) = cell.run_with(limits.clone(), payload).await;
            let error = done.unwrap_err();
            assert_eq!(error.class, ErrorClass::ResourceExhausted, "{}: {error}", cell.tier.text());
            assert!(error.message.contains("files"), "{error}");
        }
        if cell.tier == Tier::Namespaces {
            let seen = cell
                .attack(
                    r#"
def fill(path):
    with open(path, "wb") as f:
        for _ in range(64): f.write(b"x" * (1 << 20))
for path in ["/x", "/etc/x", "/dev/x", "/usr/x", "/proc/x"]: attempt(path, lambda: fill(path))
"#,
                )
                .await;
            super::cell::all_refused(cell.tier, &seen, 5);
        }
    }
}

#[tokio::test]
async fn a_flood_of_output_is_kept_in_bounds_and_ends_on_time() {
    for cell in cells().await {
        let begin = Instant::now();
        let (ctx, done) = cell.run_with(quick(), json!({"argv": ["yes"], "timeout": 0.5})).await;
        assert_eq!(done.unwrap_err().class, ErrorClass::TimeoutError);
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        let (stdout, _) = ctx.captured();
        assert_eq!((stdout.bytes.len(), stdout.truncated), (64 * 1024, true));
    }
}

#[tokio::test]
async fn a_tree_too_deep_to_have_a_path_hides_nothing_and_is_removed() {
    for cell in cells().await {
        let nest = "for n in range(6000):\n    os.mkdir('d')\n    os.chdir('d')\nopen('hidden', 'w').write('x')\ntime.sleep(100)";
        let (_, done) = cell.run_with(quick(), attack(nest)).await;
        let error = done.unwrap_err();
        assert_eq!(error.class, ErrorClass::ResourceExhausted, "{}: {}", cell.tier.text(), error.message);
        assert!(error.message.contains("nested too deep"), "{}", error.message);
        let left = std::fs::read_dir(cell.shelter.work_root()).unwrap().count();
        assert_eq!(left, 0, "{}", cell.tier.text());
    }
}
