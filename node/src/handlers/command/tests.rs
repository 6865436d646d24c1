use std::time::Instant;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::handlers::{TaskInfo, TaskLimits};
use crate::sandbox::ShelterConfig;

struct Fixture {
    handler: Command,
    root: PathBuf,
}

impl Fixture {
    /// `name` keeps tests that run at the same time out of each other's directories.
    async fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("rc-node-command-{}-{name}", std::process::id()));
        let config = ShelterConfig { program: "".into(), work_root: root.clone(), tier_max: Tier::Limits };
        let shelter = Arc::new(Shelter::new(config).await.unwrap());
        Self { handler: Command::new(shelter, root.clone(), CommandGrants::default()), root }
    }

    fn ctx(&self, limits: TaskLimits) -> TaskContext {
        let task = self.root.to_string_lossy().into_owned();
        let env = [("RC_TASK_ID", task.as_str()), ("RC_TASK_EPOCH", "7")];
        let env = env.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
        let info = TaskInfo { task, attempt: 1, epoch: 7, traceparent: None, env };
        TaskContext::new(info, limits, CancellationToken::new(), None)
    }

    async fn run(&self, payload: Value) -> Result<Value, TaskError> {
        self.handler.execute(self.ctx(TaskLimits::default()), payload).await
    }

    async fn shell(&self, script: &str) -> Result<Value, TaskError> {
        self.run(json!({"command": script, "shell": true})).await
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let left = std::fs::read_dir(&self.root).map(|dir| dir.count()).unwrap_or(0);
        let _ = std::fs::remove_dir_all(&self.root);
        if !std::thread::panicking() {
            assert_eq!(left, 0, "work directories are left");
        }
    }
}

fn alive(pid: i32) -> bool {
    // A zombie is dead: it only waits for its parent.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// Waits until a condition holds, and fails if it does not for ten seconds.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed().as_secs() < 10, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The process ids that a script wrote to stdout, once it wrote `n` of them.
async fn pids(ctx: &TaskContext, n: usize) -> Vec<i32> {
    let read = || ctx.captured().0.text().lines().filter_map(|line| line.parse().ok()).collect::<Vec<i32>>();
    eventually("the script names its processes", || read().len() == n).await;
    read()
}

#[tokio::test]
async fn gives_code_and_output() {
    let fixture = Fixture::new("code").await;
    let done = fixture.run(json!({"argv": ["printf", "%s-%s", "a b", "$c"]})).await;
    assert_eq!(done, Ok(json!({"return_code": 0, "stdout": "a b-$c", "stderr": ""})));

    let failed = fixture.shell("echo out; echo err >&2; exit 3").await.unwrap_err();
    assert_eq!((failed.class, failed.message.as_str()), (ErrorClass::TaskError, "the command exited with code 3"));
    let result = json!({"return_code": 3, "stdout": "out\n", "stderr": "err\n"});
    assert_eq!(failed.result, Some(Box::new(result)));

    let killed = fixture.shell("kill -9 $$").await.unwrap_err();
    assert_eq!(killed.result.unwrap()["return_code"], 137);

    let latin1 = fixture.run(json!({"argv": ["printf", r"caf\351"]})).await.unwrap();
    assert_eq!(latin1["stdout"], "caf\u{fffd}");
}

#[tokio::test]
async fn what_cannot_start_says_so_like_a_shell() {
    let fixture = Fixture::new("start").await;
    let error = fixture.run(json!({"argv": ["no-such-program-here"]})).await.unwrap_err();
    assert_eq!((error.class, &error.result.unwrap()["return_code"]), (ErrorClass::TaskError, &json!(127)));
    let error = fixture.run(json!({"argv": ["/etc/passwd"]})).await.unwrap_err();
    assert_eq!((error.class, &error.result.unwrap()["return_code"]), (ErrorClass::TaskError, &json!(126)));
    let error = fixture.run(json!({"argv": ["true"], "cwd": "/no/such/directory"})).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::InvalidPayload);
    let long = "x".repeat(4 << 20);
    let error = fixture.run(json!({"argv": ["true", long]})).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::InvalidPayload);
}

#[tokio::test]
async fn the_environment_is_clean_and_the_work_directory_private() {
    let fixture = Fixture::new("env").await;
    let done = fixture.run(json!({"argv": ["env"], "env": {"MINE": "1", "LANG": "de_DE.UTF-8"}})).await.unwrap();
    let text = done["stdout"].as_str().unwrap();
    let mut names: Vec<_> = text.lines().map(|line| line.split_once('=').unwrap().0).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "MINE", "PATH", "RC_TASK_EPOCH", "RC_TASK_ID", "TMPDIR"]);
    assert!(text.contains("LANG=de_DE.UTF-8\n") && text.contains("RC_TASK_EPOCH=7\n"));

    let script = "pwd; echo $HOME; echo $TMPDIR; stat -c %a .; umask; mkdir -p a/b; ln -s / root; ulimit -c; ulimit -n";
    let done = fixture.shell(script).await.unwrap();
    let lines: Vec<_> = done["stdout"].as_str().unwrap().lines().collect();
    assert!(Path::new(lines[0]).starts_with(&fixture.root) && !Path::new(lines[0]).exists());
    assert_eq!(lines[1..], [lines[0], lines[0], "700", "0077", "0", "256"]);
    assert!(Path::new("/proc").exists(), "the link in it was not followed");
}

#[tokio::test]
async fn stdin_arrives_and_a_child_that_ignores_it_is_no_error() {
    let fixture = Fixture::new("stdin").await;
    let text = "line\n".repeat(40_000);
    let done = fixture.run(json!({"argv": ["wc", "-c"], "stdin": text})).await.unwrap();
    assert_eq!(done["stdout"].as_str().unwrap().trim(), "200000");
    assert!(fixture.run(json!({"argv": ["true"], "stdin": text})).await.is_ok());
    let both = fixture.run(json!({"argv": ["cat"], "stdin": text})).await.unwrap();
    assert_eq!(both["stdout"].as_str().unwrap().len(), 64 * 1024, "more than both pipes hold went through");
    assert_eq!(fixture.shell("read x || echo none").await.unwrap()["stdout"], "none\n");
}

#[tokio::test]
async fn a_flood_is_drained_but_not_kept() {
    let fixture = Fixture::new("flood").await;
    let ctx = fixture.ctx(TaskLimits::default());
    let script = "head -c 30000000 /dev/zero; head -c 30000000 /dev/zero >&2; echo end >&2";
    let done = fixture.handler.execute(ctx.clone(), json!({"command": script, "shell": true})).await.unwrap();
    assert_eq!(done["return_code"], 0, "it was not blocked and not killed");
    let (stdout, stderr) = ctx.captured();
    assert!(stdout.truncated && stderr.truncated);
    assert_eq!((stdout.bytes.len(), stderr.bytes.len()), (64 * 1024, 64 * 1024));
    let usage = ctx.usage();
    assert!(usage.cpu_micros.is_some() && usage.memory_bytes_max.is_some_and(|bytes| bytes > 100_000), "{usage:?}");
}

#[tokio::test]
async fn a_cancel_ends_the_whole_group_and_those_who_left_it() {
    let fixture = Fixture::new("cancel").await;
    let ctx = fixture.ctx(TaskLimits::default());
    // A child, a child in a session of its own, and one that daemonised: parent gone, session of its own, pipes closed.
    let script = "echo $$; sleep 1000 & echo $!; setsid sleep 1001 & echo $!; \
                  (setsid sh -c 'echo $$; exec sleep 1002 >/dev/null 2>&1' &) ; wait";
    let payload = json!({"command": script, "shell": true});
    let (handler, watched) = (fixture.handler.execute(ctx.clone(), payload), ctx.clone());
    let cancel = async {
        let pids = pids(&watched, 4).await;
        assert!(pids.iter().all(|pid| alive(*pid)), "{pids:?}");
        watched.cancel_token().cancel();
        pids
    };
    let (ended, pids) = tokio::join!(handler, cancel);
    let error = ended.unwrap_err();
    assert_eq!((error.class, &error.result.unwrap()["return_code"]), (ErrorClass::Preempted, &json!(143)));
    eventually("all processes are gone", || !pids.iter().any(|pid| alive(*pid))).await;
}

#[tokio::test]
async fn a_timeout_is_enforced_on_those_who_ignore_sigterm() {
    let fixture = Fixture::new("timeout").await;
    let limits = TaskLimits { stop_grace: Duration::from_millis(100), ..TaskLimits::default() };
    let ctx = fixture.ctx(limits);
    let script = "trap '' TERM; echo $$; (sleep 1000; echo never) & echo $!; while :; do wait; sleep 1000; done";
    let payload = json!({"command": script, "shell": true, "timeout": 0.3});
    let begin = Instant::now();
    let (ended, pids) = tokio::join!(fixture.handler.execute(ctx.clone(), payload), pids(&ctx, 2));
    let error = ended.unwrap_err();
    assert_eq!((error.class, &error.result.unwrap()["return_code"]), (ErrorClass::TimeoutError, &json!(137)));
    assert!(begin.elapsed() >= Duration::from_millis(400), "it had its grace");
    eventually("all processes are gone", || !pids.iter().any(|pid| alive(*pid))).await;
}

#[tokio::test]
async fn what_a_finished_command_left_running_goes_with_it() {
    let fixture = Fixture::new("left").await;
    let ctx = fixture.ctx(TaskLimits::default());
    let script = "sleep 1000 & echo $!; setsid sleep 1000 & echo $!; exit 0";
    let begin = Instant::now();
    let done = fixture.handler.execute(ctx.clone(), json!({"command": script, "shell": true})).await.unwrap();
    assert_eq!(done["return_code"], 0);
    assert!(begin.elapsed() < Duration::from_secs(5), "held pipes hold nobody up");
    let pids = pids(&ctx, 2).await;
    eventually("all processes are gone", || !pids.iter().any(|pid| alive(*pid))).await;
}

#[tokio::test]
async fn dropping_the_task_half_way_kills_and_collects_its_process() {
    let fixture = Fixture::new("drop").await;
    let ctx = fixture.ctx(TaskLimits::default());
    let payload = json!({"command": "echo $$; exec sleep 1000", "shell": true});
    let pid = tokio::select! {
        _ = fixture.handler.execute(ctx.clone(), payload) => panic!("it ended by itself"),
        pids = pids(&ctx, 1) => pids[0],
    };
    eventually("not even a zombie is left", || !Path::new(&format!("/proc/{pid}")).exists()).await;
}

#[tokio::test]
async fn a_file_grows_to_its_limit_only() {
    let fixture = Fixture::new("fsize").await;
    let limits = TaskLimits { file_bytes_max: 10_000, ..TaskLimits::default() };
    let payload = json!({"command": "head -c 20000 /dev/zero > big; stat -c %s big", "shell": true});
    let done = fixture.handler.execute(fixture.ctx(limits), payload).await.unwrap();
    assert_eq!(done["stdout"], "10000\n");
}

#[tokio::test]
async fn the_sweep_removes_what_a_killed_node_left() {
    let fixture = Fixture::new("sweep").await;
    assert!(sweep_work_root(&fixture.root).is_ok(), "no root yet");
    std::fs::create_dir_all(fixture.root.join("99-1/sub")).unwrap();
    sweep_work_root(&fixture.root).unwrap();
    assert_eq!(std::fs::read_dir(&fixture.root).unwrap().count(), 0);
}
