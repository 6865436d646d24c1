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
use std::sync::atomic::{AtomicU32, Ordering};

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

/// Numbers by which programs are known, each no other program's at the same time: of a part that is this launcher's in every life,
/// and one that counts. Small enough for every system's limits.
#[derive(Debug)]
pub(super) struct Brands {
    own: u32,
    next: AtomicU32,
}

/// All brands have this bit, and none above it.
const BRANDS: u32 = 1 << 30;
/// How many bits of a brand count programs.
const COUNTED: u32 = 13;

impl Brands {
    /// Those of a launcher that is known by this.
    pub(super) fn of(key: &[u8]) -> Self {
        let hash = blake3::hash(key);
        let [a, b, c, d, ..] = *hash.as_bytes();
        let own = BRANDS | (u32::from_le_bytes([a, b, c, d]) & (BRANDS - 1)) >> COUNTED << COUNTED;
        Self { own, next: AtomicU32::new(0) }
    }

    /// For one more program.
    pub(super) fn next(&self) -> u32 {
        self.own | (self.next.fetch_add(1, Ordering::Relaxed) & ((1 << COUNTED) - 1))
    }

    /// Whether a brand is one of these.
    fn has(&self, brand: u32) -> bool {
        brand >> COUNTED == self.own >> COUNTED
    }

    /// Kills all who have one of these: before the first program is started, those that an earlier life has left.
    pub(super) fn sweep(&self, proc: &Path) {
        kill_again(|| branded(proc, |brand| self.has(brand)));
    }
}

/// All processes that have such a brand.
fn branded(proc: &Path, which: impl Fn(u32) -> bool) -> BTreeSet<i32> {
    let brand = |pid: i32| -> Option<u32> {
        let limits = fs::read_to_string(proc.join(pid.to_string()).join("limits")).ok()?;
        // Name, what may be used, what that may be set to, unit.
        let row = limits.lines().find_map(|line| line.strip_prefix("Max realtime timeout"))?;
        row.split_whitespace().nth(1)?.parse().ok()
    };
    pids(proc).filter(|pid| brand(*pid).is_some_and(&which)).collect()
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

/// Kills the processes that have the brand or the `marks` of a program, again and again while they fork, and those in `more`.
pub(super) fn kill(proc: &Path, brand: Option<u32>, marks: &[String], more: &BTreeSet<i32>) {
    let mut more = more.clone();
    kill_again(|| {
        let mut targets = std::mem::take(&mut more);
        targets.extend(marked(proc, marks));
        targets.extend(brand.map(|own| branded(proc, |brand| brand == own)).unwrap_or_default());
        targets
    });
}

fn kill_again(mut find: impl FnMut() -> BTreeSet<i32>) {
    /// A process that forks between being read and being killed leaves one that the next round finds.
    const ROUNDS_MAX: usize = 8;
    let me = std::process::id();
    for _ in 0..ROUNDS_MAX {
        let targets = find();
        if targets.is_empty() {
            return;
        }
        for pid in targets {
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
        assert_eq!(branded(dir.path(), |brand| brand == 1_073_741_825), [10, 11].into());
        let (own, other) = (Brands::of(b"own"), Brands::of(b"other"));
        let (one, two) = (own.next(), own.next());
        assert!(one != two && (BRANDS..2 * BRANDS).contains(&one));
        assert!(own.has(one) && own.has(two) && !other.has(one) && Brands::of(b"own").has(one));
        (0..1 << COUNTED).for_each(|_| assert!(own.has(own.next())));
        assert!(own.has(one) && !own.has(0) && !own.has(1_000_000), "what others have set is nobody's brand");
    }
}
