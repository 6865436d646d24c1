//! Processes of a task that left its process group: found through `/proc`, as far as it shows them.
//!
//! A child that calls `setsid` is out of reach of a signal to the group, and one that daemonises is not even a
//! descendant any more. The first are found as descendants while their ancestors live, the others by the task's
//! variables in their environment, which only a process that rewrites it can hide. Isolation by namespaces or
//! control groups makes this unnecessary; it is for the devices that have neither.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// How much of a process's environment is looked at, in bytes. The task's variables come first in it.
const ENVIRON_BYTES_MAX: u64 = 16 * 1024;

/// All descendants of a process, found through their parents.
pub(super) fn descendants(proc: &Path, root: i32) -> BTreeSet<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for pid in pids(proc) {
        if let Some(parent) = parent_of(proc, pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            found.insert(child);
            open.push(child);
        }
    }
    found
}

/// All processes whose environment has every one of `marks` (`NAME=value`). No marks, no processes.
pub(super) fn marked(proc: &Path, marks: &[String]) -> BTreeSet<i32> {
    if marks.is_empty() {
        return BTreeSet::new();
    }
    let carries = |pid: &i32| {
        let mut environ = Vec::new();
        let Ok(file) = fs::File::open(proc.join(pid.to_string()).join("environ")) else {
            return false;
        };
        if file.take(ENVIRON_BYTES_MAX).read_to_end(&mut environ).is_err() {
            return false;
        }
        let has = |mark: &String| environ.split(|b| *b == 0).any(|entry| entry == mark.as_bytes());
        marks.iter().all(has)
    };
    pids(proc).filter(carries).collect()
}

/// Kills the processes that [`marked`] finds, again and again while they fork, and those in `more`.
pub(super) fn kill(proc: &Path, marks: &[String], more: &BTreeSet<i32>) {
    /// A process that forks between being read and being killed leaves one that the next round finds.
    const ROUNDS_MAX: usize = 8;
    let me = std::process::id();
    let mut targets = more.clone();
    for _ in 0..ROUNDS_MAX {
        targets.extend(marked(proc, marks));
        if targets.is_empty() {
            return;
        }
        for pid in std::mem::take(&mut targets) {
            if let Some(pid) = Pid::from_raw(pid).filter(|pid| u32::try_from(pid.as_raw_nonzero().get()) != Ok(me)) {
                // It may be gone already, which is as good.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

fn pids(proc: &Path) -> impl Iterator<Item = i32> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The fourth field of `stat`. The second, the name, may contain anything, so reading starts after its last bracket.
fn parent_of(proc: &Path, pid: i32) -> Option<i32> {
    let stat = fs::read(proc.join(pid.to_string()).join("stat")).ok()?;
    let name_end = stat.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
    rest.split_whitespace().nth(1)?.parse().ok()
}
