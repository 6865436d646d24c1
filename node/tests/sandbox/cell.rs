//! A device with one tier, and attacks written in Python: an attack prints one line per attempt, `name: what happened`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rc_node::handlers::command::{Command, CommandGrants};
use rc_node::handlers::{TaskContext, TaskError, TaskHandler, TaskInfo, TaskLimits};
use rc_node::sandbox::{Groups, Shelter, ShelterConfig, Tier, task_user};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Not in a home directory, where a sandbox would not find it.
const PYTHON: &str = "/usr/bin/python3";

/// What every attack begins with.
const PRELUDE: &str = r#"
import ctypes, errno, mmap, os, signal, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(function, *args):
    ctypes.set_errno(0)
    result = function(*args)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
def attempt(name, act):
    try:
        act()
        print(f"{name}: done", flush=True)
    except OSError as e:
        print(f"{name}: {errno.errorcode.get(e.errno, e.errno)}", flush=True)
    except BaseException as e:
        print(f"{name}: {type(e).__name__}", flush=True)
"#;

pub(crate) struct Cell {
    pub(crate) handler: Command,
    pub(crate) shelter: Arc<Shelter>,
    pub(crate) tier: Tier,
    /// A directory that everybody may read, outside of the sandbox.
    pub(crate) outside: PathBuf,
    _dir: tempfile::TempDir,
}

/// The program with the spawner in it; a copy, when the tests run as somebody who may not enter the target directory.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("RC_NODE_TEST_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_rc-node").into(), PathBuf::from)
}

impl Cell {
    /// A device with exactly this tier. `None`, and a word about it, if there is no such thing here.
    pub(crate) async fn new(tier: Tier, grants: CommandGrants) -> Option<Self> {
        let dir = tempfile::tempdir().expect("as the test set it up");
        open(dir.path(), 0o755);
        let (work_root, outside) = (dir.path().join("work"), dir.path().join("outside"));
        std::fs::create_dir(&work_root).expect("as the test set it up");
        std::fs::create_dir(&outside).expect("as the test set it up");
        open(&work_root, 0o711);
        open(&outside, 0o777);
        std::fs::write(outside.join("secret"), "secret").expect("as the test set it up");
        open(&outside.join("secret"), 0o666);
        let config = ShelterConfig { program: program(), work_root: work_root.clone(), tier_max: tier };
        let mut shelter = Shelter::new(config).await.expect("as the test set it up");
        let key = dir.path().file_name().and_then(|name| name.to_str()).expect("a name").replace('.', "");
        shelter.use_groups(Groups::find(Path::new("/proc"), Path::new("/sys/fs/cgroup"), &key)).await;
        let shelter = Arc::new(shelter);
        if shelter.tier() != tier {
            eprintln!("SKIPPED for {}: {:?}", tier.text(), shelter.shortfalls());
            return None;
        }
        if work_owner_differs(&work_root) {
            std::os::unix::fs::chown(&work_root, Some(task_user().uid), None).expect("as the test set it up");
        }
        let handler = Command::new(Arc::clone(&shelter), work_root, grants);
        Some(Self { handler, shelter, tier, outside, _dir: dir })
    }

    pub(crate) fn ctx(&self, limits: TaskLimits) -> TaskContext {
        // By its name the survivors of a task are found, and killed.
        let env = vec![("RC_TASK_ID".to_owned(), token()), ("RC_TASK_EPOCH".to_owned(), "1".to_owned())];
        let info = TaskInfo { task: "t".to_owned(), attempt: 1, epoch: 1, traceparent: None, env };
        TaskContext::new(info, limits, CancellationToken::new(), None)
    }

    pub(crate) async fn run(&self, payload: Value) -> Result<Value, TaskError> {
        self.handler.execute(self.ctx(quick()), payload).await
    }

    pub(crate) async fn run_with(&self, limits: TaskLimits, payload: Value) -> (TaskContext, Result<Value, TaskError>) {
        let ctx = self.ctx(limits);
        let done = self.handler.execute(ctx.clone(), payload).await;
        (ctx, done)
    }

    pub(crate) async fn shell(&self, script: &str) -> String {
        let done = self.run(json!({"command": script, "shell": true})).await.expect("as the test set it up");
        done["stdout"].as_str().expect("as the test set it up").to_owned()
    }

    /// Runs an attack and gives what came of each attempt.
    pub(crate) async fn attack(&self, script: &str) -> BTreeMap<String, String> {
        let done = self.run(attack(script)).await;
        let done = done.unwrap_or_else(|error| panic!("the attack itself broke: {error} {:?}", error.result));
        let text = done["stdout"].as_str().expect("as the test set it up");
        let stderr = done["stderr"].as_str().expect("as the test set it up");
        let pairs = text.lines().map(|line| line.split_once(": ").unwrap_or_else(|| panic!("{line} {stderr}")));
        pairs.map(|(name, what)| (name.to_owned(), what.to_owned())).collect()
    }
}

/// Every tier that holds anything, as far as it works here. At least one must, or the test says so loudly.
pub(crate) async fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for tier in [Tier::Namespaces, Tier::Filters] {
        cells.extend(Cell::new(tier, CommandGrants::default()).await);
    }
    if cells.is_empty() {
        eprintln!("SKIPPED: this system holds nothing, neither by namespaces nor by filters");
    }
    if !Path::new(PYTHON).exists() {
        eprintln!("SKIPPED: the attacks are written for {PYTHON}, which is not there");
        return Vec::new();
    }
    cells
}

/// The payload that runs an attack.
pub(crate) fn attack(script: &str) -> Value {
    json!({"argv": [PYTHON, "-I", "-S", "-c", format!("{PRELUDE}{script}")]})
}

/// Limits that let no test hang.
pub(crate) fn quick() -> TaskLimits {
    TaskLimits { stop_grace: Duration::from_millis(200), ..TaskLimits::default() }
}

pub(crate) fn open(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("as the test set it up");
}

fn work_owner_differs(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).expect("as the test set it up").uid() != task_user().uid
}

/// Somebody else's process, of the very user that tasks run as: a target.
pub(crate) struct Victim(pub(crate) Child);

impl Victim {
    pub(crate) fn new() -> Self {
        use std::os::unix::process::CommandExt;
        let mut program = Program::new("/bin/sleep");
        program.arg("1000").env("SECRET", "a-secret-in-the-environment").stdin(Stdio::null());
        if task_user().uid != current_uid() {
            program.uid(task_user().uid).gid(task_user().gid);
        }
        Self(program.spawn().expect("as the test set it up"))
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.0.try_wait().expect("as the test set it up").is_none()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn current_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").expect("as the test set it up").uid()
}

/// Processes that have this word among their arguments.
pub(crate) fn alive_with(word: &str) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").expect("as the test set it up").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let has = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|arg| arg == word.as_bytes())
    };
    pids.filter(has).collect()
}

/// A word for [`alive_with`] that no other process has.
pub(crate) fn token() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("9{:07}{:02}", std::process::id() % 10_000_000, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Waits until a condition holds, and fails if it does not for ten seconds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed().as_secs() < 10, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// All attempts came to nothing, and there were as many as expected.
pub(crate) fn all_refused(tier: Tier, seen: &BTreeMap<String, String>, attempts: usize) {
    assert_eq!(seen.len(), attempts, "{} {seen:?}", tier.text());
    let done: Vec<_> = seen.iter().filter(|(_, what)| *what == "done").collect();
    assert!(done.is_empty(), "{}: {done:?}", tier.text());
    // Refused for a reason, not because the attack is misspelt.
    let broken: Vec<_> =
        seen.iter().filter(|(_, what)| what.ends_with("Error") && *what != "PermissionError").collect();
    assert!(broken.is_empty(), "{}: {broken:?}", tier.text());
}
