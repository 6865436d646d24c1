//! Processes of a task that left its process group: found through `/proc`, as far as it shows them.
//!
//! A child that calls `setsid` is out of reach of a signal to the group, and one that daemonises is not even a
//! descendant any more. The first are found as descendants while their ancestors live, the others by a brand: a limit
//! that binds nobody, with a number in it that is this program's alone, which every descendant inherits whatever it does
//! to its session, its parents and its environment; and by the task's variables in their environment, where there is no
//! such limit. Only who lowers the one and clears the other hides. Isolation by namespaces or control groups makes this
//! unnecessary; it is for the devices that have neither.

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

/// A number that no other program has. Small enough for every system's limits.
pub(super) fn brand() -> Option<u32> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).ok()?;
    Some(BRANDS | (u32::from_le_bytes(bytes) & (BRANDS - 1)))
}

/// All brands have this bit, and none above it.
const BRANDS: u32 = 1 << 30;

/// All processes that have the brand, see [`brand`](super::limits::brand).
pub(super) fn branded(proc: &Path, brand: u32) -> BTreeSet<i32> {
    let brand = brand.to_string();
    let carries = |pid: &i32| {
        let limits = fs::read_to_string(proc.join(pid.to_string()).join("limits")).unwrap_or_default();
        // Name, what may be used, what that may be set to, unit.
        let row = limits.lines().find_map(|line| line.strip_prefix("Max realtime timeout"));
        row.is_some_and(|row| row.split_whitespace().nth(1) == Some(&brand))
    };
    pids(proc).filter(carries).collect()
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

/// Kills the processes that [`branded`] and [`marked`] find, again and again while they fork, and those in `more`.
pub(super) fn kill(proc: &Path, brand: Option<u32>, marks: &[String], more: &BTreeSet<i32>) {
    /// A process that forks between being read and being killed leaves one that the next round finds.
    const ROUNDS_MAX: usize = 8;
    let me = std::process::id();
    let mut targets = more.clone();
    for _ in 0..ROUNDS_MAX {
        targets.extend(marked(proc, marks));
        targets.extend(brand.map(|brand| branded(proc, brand)).unwrap_or_default());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_is_found_in_its_place_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let process = |pid: &str, realtime: &str| {
            fs::create_dir_all(dir.path().join(pid)).unwrap();
            let text = format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max cpu time              1073741825           1073741825           seconds   \n{realtime}"
            );
            fs::write(dir.path().join(pid).join("limits"), text).unwrap();
        };
        process("10", "Max realtime timeout      1073741825           1073741825           us        \n");
        process("11", "Max realtime timeout      5                    1073741825           us        \n");
        process("12", "Max realtime timeout      1073741825           10737418250          us        \n");
        process("13", "Max realtime timeout      unlimited            unlimited            us        \n");
        process("14", "");
        process("self", "Max realtime timeout      1073741825           1073741825           us        \n");
        assert_eq!(branded(dir.path(), 1_073_741_825), [10, 11].into());
        let (one, other) = (brand().unwrap(), brand().unwrap());
        assert!(one != other && (BRANDS..2 * BRANDS).contains(&one));
    }
}
