//! A full disk: new work is refused, old work is served, a restart works, and when there is space again everything goes on.

use crate::device::Device;
use crate::trio::{PATIENCE, device};
use crate::wait::until;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Room for a segment of the log and a little more.
const DISK: &str = "3m";

/// A small file system, in a mount namespace of its own that lives as long as its process.
struct SmallDisk {
    keeper: Child,
    dir: PathBuf,
}

impl SmallDisk {
    /// Mounts one at `dir`; `None` if this machine does not let us.
    fn mount(dir: PathBuf) -> Option<Self> {
        fs::create_dir(&dir).expect("room");
        let script = format!("mount -t tmpfs -o size={DISK} tmpfs \"$0\" && echo mounted && exec cat");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]).arg(&dir);
        // It ends when its input does, and so with this process.
        let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut said = [0; 8];
        let mounted = keeper.stdout.as_mut().is_some_and(|out| std::io::Read::read_exact(out, &mut said).is_ok());
        let disk = Self { keeper, dir };
        mounted.then_some(disk)
    }

    /// Where it can be seen from outside.
    fn seen(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.keeper.id(), self.dir.display()))
    }

    /// Takes all that is left.
    fn fill(&self) {
        let mut file = File::create(self.seen().join("ballast")).expect("it is not full");
        while file.write_all(&[0; 4096]).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
    }

    /// Gives it back.
    fn empty(&self) {
        fs::remove_file(self.seen().join("ballast")).expect("it was filled");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

fn is_healthy(node: &Device) -> bool {
    node.json(&["status"])["storage_healthy"] == true
}

/// Submits until the node refuses, and returns what it says then.
fn refused(node: &Device) -> String {
    let (said, _) = until("new work is refused", PATIENCE, || {
        let payload = format!("\"{}\"", "x".repeat(60_000));
        let said = node.say(&["submit", "echo", "--payload", &payload]);
        if said.code == 0 || said.code == 7 { Err(said.out) } else { Ok(said) }
    });
    said.err
}

#[test]
fn a_full_disk_refuses_new_work_serves_the_old_and_keeps_no_node_from_starting() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let Some(disk) = SmallDisk::mount(dir.path().join("disk")) else {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must be able to mount");
        eprintln!("skipped: no mounts allowed here");
        return;
    };
    let mut node = Device::new(&disk.dir, "attic", &["nsenter", &format!("--mount=/proc/{}/ns/mnt", disk.keeper.id())]);
    node.flags = device(&dir, "attic", &[]).flags.clone();
    node.start();
    let old = node.submit(&["echo", "--payload", "[7]"]);
    let told = node.result(&old, PATIENCE);
    assert_eq!(told["result"][0], 7, "{told:#}");

    disk.fill();
    let why = refused(&node);
    assert!(why.contains("disk is full") && why.contains("free some space"), "{why}");
    assert!(!is_healthy(&node));
    assert_eq!(node.result(&old, PATIENCE), told);

    // Again and again, with nothing at all left: each start is counted.
    let mut lives = vec![node.json(&["status"])["incarnation"].clone()];
    for _ in 0..5 {
        node.kill();
        disk.empty();
        disk.fill();
        node.start();
        let life = node.json(&["status"])["incarnation"].clone();
        assert!(!lives.contains(&life), "{life} was there before: {lives:?}");
        lives.push(life);
        assert_eq!(node.result(&old, PATIENCE), told);
        refused(&node);
    }

    assert!(node.log().contains("the log takes nothing new"), "it was never quite full: {}", node.log());
    disk.empty();
    until(
        "it takes new work again",
        PATIENCE,
        || {
            if is_healthy(&node) { Ok(()) } else { Err(node.say(&["status"]).out) }
        },
    );
    let new = node.submit(&["echo", "--payload", "[8]"]);
    assert_eq!(node.result(&new, PATIENCE)["result"][0], 8);
    assert_eq!(node.result(&old, PATIENCE), told);
    node.kill();
    node.start();
    assert_eq!(node.result(&old, PATIENCE), told);
    assert!(is_healthy(&node));
}
