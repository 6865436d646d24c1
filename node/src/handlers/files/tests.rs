//! On a real directory, with everything in it that leads, or seems to lead, out of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::handlers::{ErrorClass, TaskInfo, TaskLimits};

struct Rig {
    dir: tempfile::TempDir,
    handler: FileOperation,
}

impl Rig {
    /// An allowed directory `in`, and beside it a secret.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        let handler = FileOperation::new(Arc::new(Roots::new(&dir.path().join("in")).unwrap()));
        Self { dir, handler }
    }

    fn inside(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("in").join(name)
    }

    async fn act(&self, operation: &str, path: &str, more: Value) -> Result<Value, TaskError> {
        let mut payload = json!({"operation": operation, "path": path});
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let limits = TaskLimits { file_bytes_max: 100_000, ..TaskLimits::default() };
        let token = tokio_util::sync::CancellationToken::new();
        let ctx = TaskContext::new(TaskInfo::default(), limits, token, None);
        self.handler.execute(ctx, payload).await
    }

    async fn class(&self, operation: &str, path: &str, more: Value) -> ErrorClass {
        self.act(operation, path, more).await.unwrap_err().class
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.inside("")).unwrap().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn every_operation_does_what_it_says() {
    let rig = Rig::new();
    let hash = |text: &str| blake3::hash(text.as_bytes()).to_hex().to_string();
    let written = rig.act("write", "a.txt", json!({"content": "hi"})).await.unwrap();
    assert_eq!(written, json!({"path": "a.txt", "bytes_written": 2, "hash": hash("hi")}));
    let appended = rig.act("append", "a.txt", json!({"content": "IQ==", "encoding": "base64"})).await.unwrap();
    assert_eq!(appended, json!({"path": "a.txt", "bytes_written": 1, "size": 3}));
    let read = rig.act("read", "./a.txt", json!({})).await.unwrap();
    assert_eq!(read, json!({"path": "./a.txt", "content": "hi!", "size": 3, "hash": hash("hi!")}));
    let read = rig.act("read", "a.txt", json!({"encoding": "base64"})).await.unwrap();
    assert_eq!(read["content"], "aGkh");
    let absolute = rig.inside("a.txt").canonicalize().unwrap().display().to_string();
    assert_eq!(rig.act("hash", &absolute, json!({})).await.unwrap()["hash"], hash("hi!"));
    assert_eq!(rig.act("mkdir", "d/e", json!({"recursive": true})).await.unwrap()["created"], true);
    assert_eq!(rig.act("mkdir", "d/e", json!({"recursive": true})).await.unwrap()["created"], false);
    let copied = rig.act("copy", "a.txt", json!({"destination": "d/b.txt"})).await.unwrap();
    assert_eq!((&copied["destination"], &copied["bytes"]), (&json!("d/b.txt"), &json!(3)));
    assert_eq!(rig.class("copy", "a.txt", json!({"destination": "d/b.txt"})).await, ErrorClass::TaskError);
    rig.act("copy", "a.txt", json!({"destination": "d/b.txt", "overwrite": true})).await.unwrap();
    rig.act("move", "a.txt", json!({"destination": "d/c.txt"})).await.unwrap();
    assert_eq!(rig.act("exists", "a.txt", json!({})).await.unwrap(), json!({"path": "a.txt", "exists": false}));
    let listed = rig.act("list", "d", json!({})).await.unwrap();
    let entry = |name: &str, kind: &str, size: Value| json!({"name": name, "type": kind, "size": size});
    let entries =
        [entry("b.txt", "file", 3.into()), entry("c.txt", "file", 3.into()), entry("e", "directory", Value::Null)];
    assert_eq!(listed, json!({"path": "d", "entries": entries, "truncated": false}));
    let stat = rig.act("stat", "d/b.txt", json!({})).await.unwrap();
    assert_eq!((&stat["type"], &stat["size"]), (&json!("file"), &json!(3)));
    assert!(stat["modified"].as_u64().is_some_and(|seconds| seconds > 1_600_000_000));
    assert_eq!(rig.class("delete", "d", json!({})).await, ErrorClass::TaskError, "not empty");
    assert_eq!(rig.act("delete", "d", json!({"recursive": true})).await.unwrap()["deleted"], true);
    assert_eq!(rig.names(), [""; 0]);
    assert_eq!(rig.class("read", "d", json!({})).await, ErrorClass::TaskError, "not there");
}

#[tokio::test]
async fn no_path_leads_out() {
    let rig = Rig::new();
    let secret = rig.dir.path().join("secret");
    symlink(&secret, rig.inside("absolute")).unwrap();
    symlink("../secret", rig.inside("relative")).unwrap();
    symlink("..", rig.inside("up")).unwrap();
    symlink("/", rig.inside("root")).unwrap();
    symlink("/proc/self/root", rig.inside("magic")).unwrap();
    symlink("loop", rig.inside("loop")).unwrap();
    let secret = secret.display().to_string();
    let ways = [
        "../secret",
        "x/../../secret",
        "..",
        "absolute",
        "relative",
        "up/secret",
        "root/etc/passwd",
        "magic/etc/passwd",
        "loop",
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/self/root/etc/passwd",
        "/dev/zero",
        &secret,
        "/",
        "",
    ];
    for way in ways {
        for operation in ["read", "hash", "append", "write", "copy", "delete", "move", "list", "mkdir"] {
            // The links themselves may be removed and renamed, but that is not what this is about.
            let link = Path::new(way).components().count() == 1 && !way.is_empty() && !way.starts_with(['.', '/']);
            if link && matches!(operation, "delete" | "move") {
                continue;
            }
            let more = match operation {
                "append" | "write" => json!({"content": "overwritten"}),
                "copy" | "move" => json!({"destination": "stolen"}),
                _ => json!({}),
            };
            let error = rig.act(operation, way, more).await.unwrap_err();
            assert!(!error.message.contains("secret: secret"), "{operation} {way}");
        }
        for operation in ["copy", "move"] {
            rig.act("write", "mine", json!({"content": "x"})).await.unwrap();
            let more = json!({"destination": way, "overwrite": true});
            assert!(rig.act(operation, "mine", more).await.is_err(), "{operation} to {way}");
        }
    }
    assert_eq!(fs::read_to_string(rig.dir.path().join("secret")).unwrap(), "secret");
    assert!(!rig.inside("stolen").exists());
    rig.act("delete", "absolute", json!({})).await.unwrap();
    assert!(rig.dir.path().join("secret").exists(), "the link is gone, and what it led to is not");
    symlink("..", rig.inside("tree")).unwrap();
    rig.act("delete", "tree", json!({"recursive": true})).await.unwrap();
    assert!(rig.dir.path().join("secret").exists());
    assert_eq!(
        rig.class("delete", ".", json!({"recursive": true})).await,
        ErrorClass::TaskError,
        "the directory itself"
    );
}

#[tokio::test]
async fn pipes_devices_and_second_names_are_not_opened() {
    let rig = Rig::new();
    fs::hard_link(rig.dir.path().join("secret"), rig.inside("second")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(rig.inside("pipe")).status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(rig.inside("socket")).unwrap();
    for name in ["second", "pipe", "socket"] {
        for (operation, more) in [
            ("read", json!({})),
            ("hash", json!({})),
            ("append", json!({"content": "x"})),
            ("copy", json!({"destination": "stolen"})),
        ] {
            let act = tokio::time::timeout(Duration::from_secs(10), rig.act(operation, name, more));
            let error = act.await.expect("it must not wait for a writer").unwrap_err();
            assert!(!rig.inside("stolen").exists(), "{operation} {name}: {}", error.message);
        }
    }
    assert_eq!(fs::read_to_string(rig.dir.path().join("secret")).unwrap(), "secret");
    // A new file takes the name; the other name keeps its content.
    rig.act("write", "second", json!({"content": "mine"})).await.unwrap();
    assert_eq!(fs::read_to_string(rig.dir.path().join("secret")).unwrap(), "secret");
    assert_eq!(rig.class("write", "pipe", json!({"content": "x"})).await, ErrorClass::PermissionDenied);
    assert_eq!(rig.act("stat", "pipe", json!({})).await.unwrap()["type"], "other");
}

#[tokio::test]
async fn what_is_too_long_leaves_nothing_behind() {
    let rig = Rig::new();
    let long = "x".repeat(100_001);
    let error = rig.act("write", "a", json!({"content": long})).await.unwrap_err();
    assert!(error.message.contains("longer than 100000 bytes"), "{}", error.message);
    assert_eq!(rig.names(), [""; 0]);
    rig.act("write", "a", json!({"content": "x".repeat(99_999)})).await.unwrap();
    assert!(rig.act("append", "a", json!({"content": "xx"})).await.is_err());
    rig.act("append", "a", json!({"content": "x"})).await.unwrap();
    assert_eq!(fs::metadata(rig.inside("a")).unwrap().len(), 100_000);
    fs::write(rig.inside("large"), &long).unwrap();
    assert!(rig.act("read", "large", json!({})).await.is_err());
    assert!(rig.act("copy", "large", json!({"destination": "b"})).await.is_err());
    assert_eq!(rig.names(), ["a", "large"]);
}

/// Somebody exchanges a directory for a link that leads out, again and again, while tasks write through it.
#[tokio::test]
async fn a_race_against_the_check_is_lost() {
    let rig = Rig::new();
    let outside = rig.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir(rig.inside("real")).unwrap();
    let (here, there) = (rig.inside("door"), rig.inside("away"));
    fs::create_dir(&here).unwrap();
    symlink(&outside, &there).unwrap();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let swapper = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            rustix::fs::renameat_with(rustix::fs::CWD, &here, rustix::fs::CWD, &there, flags).unwrap();
        }
    });
    let mut written = 0;
    for round in 0..500 {
        let path = format!("door/{round}");
        written += usize::from(rig.act("write", &path, json!({"content": "x"})).await.is_ok());
        let _ = rig.act("append", &path, json!({"content": "x"})).await;
        let _ = rig.act("mkdir", &format!("door/d{round}"), json!({})).await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    swapper.join().unwrap();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "of {written} files");
}

#[tokio::test]
async fn an_owner_allows_more_directories_and_single_files() {
    let rig = Rig::new();
    let (share, single) = (rig.dir.path().join("share"), rig.dir.path().join("single"));
    fs::create_dir(&share).unwrap();
    fs::write(&single, "one").unwrap();
    let mut roots = Roots::new(&rig.inside("")).unwrap();
    roots.allow(&share).unwrap();
    roots.allow(&single).unwrap();
    assert!(roots.allow(&rig.dir.path().join("missing")).is_err());
    let rig = Rig { handler: FileOperation::new(Arc::new(roots)), dir: rig.dir };
    let text = |path: &Path| path.canonicalize().unwrap().display().to_string();
    let inside = format!("{}/x", text(&share));
    rig.act("write", &inside, json!({"content": "x"})).await.unwrap();
    assert_eq!(rig.act("read", &text(&single), json!({})).await.unwrap()["content"], "one");
    let secret = text(&rig.dir.path().join("secret"));
    assert_eq!(rig.class("read", &secret, json!({})).await, ErrorClass::PermissionDenied);
    assert_eq!(rig.class("read", &format!("{}x", text(&share)), json!({})).await, ErrorClass::PermissionDenied);
}

#[tokio::test]
async fn a_task_gets_no_more_than_it_asks_for() {
    let rig = Rig::new();
    rig.act("mkdir", "mine", json!({})).await.unwrap();
    rig.act("write", "other", json!({"content": "x"})).await.unwrap();
    symlink("../other", rig.inside("mine/up")).unwrap();
    let inside = rig.inside("").canonicalize().unwrap();
    let act = |allowed: Vec<std::path::PathBuf>, files: Option<bool>, payload: Value| {
        let mut limits = TaskLimits::default();
        limits.sandbox.allowed_paths = allowed;
        limits.sandbox.allow_filesystem = files;
        let token = tokio_util::sync::CancellationToken::new();
        rig.handler.execute(TaskContext::new(TaskInfo::default(), limits, token, None), payload)
    };
    let read = |path: &str| json!({"operation": "read", "path": path});
    let mine = || vec![inside.join("mine")];
    let write = json!({"operation": "write", "path": "a", "content": "x"});
    act(mine(), None, write.clone()).await.unwrap();
    assert!(rig.inside("mine/a").exists(), "relative to what it asks for");
    let other = inside.join("other").display().to_string();
    assert!(act(mine(), None, read("up")).await.is_err());
    assert!(act(mine(), None, read(&other)).await.is_err());
    assert_eq!(act(vec![inside.join("other")], None, read(&other)).await.unwrap()["content"], "x", "a single file");
    for beyond in [rig.dir.path().join("secret"), "/".into(), inside.join("mine/up/..")] {
        assert!(act(vec![beyond], None, read("secret")).await.is_err());
    }
    let error = act(Vec::new(), Some(false), write).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::PermissionDenied);
}
