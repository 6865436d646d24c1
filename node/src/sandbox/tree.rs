//! What all processes of a task use together, as `/proc` shows it while they run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Tier;

/// Processes of one task that are looked at; those with the lowest numbers.
const PROCESSES_MAX: usize = 4096;

/// Of all processes of a task together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TreeUsage {
    /// Processes.
    pub processes: u32,
    /// User and system time in microseconds, of those that run and those that they waited for.
    pub cpu_micros: u64,
    /// Private and shared memory in bytes; files that are mapped do not count, pages that are shared count for each.
    pub memory_bytes: u64,
}

/// What the processes of a task use. `None` if there is none, or they cannot be seen.
pub(super) fn usage(proc: &Path, leader: i32, tier: Tier) -> Option<TreeUsage> {
    let members = match tier {
        Tier::Namespaces => below(proc, leader),
        Tier::Limits | Tier::Filters => group(proc, leader),
    };
    let mut sum = TreeUsage::default();
    for pid in members.into_iter().take(PROCESSES_MAX) {
        let dir = proc.join(pid.to_string());
        if let Some(stat) = Stat::read(&dir) {
            sum.processes += 1;
            sum.cpu_micros = sum.cpu_micros.saturating_add(ticks_to_micros(stat.ticks));
            sum.memory_bytes = sum.memory_bytes.saturating_add(memory(&dir).unwrap_or(0));
        }
    }
    (sum.processes > 0).then_some(sum)
}

/// A process and all of its descendants; in a namespace nobody is anybody else's.
fn below(proc: &Path, root: i32) -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        if found.len() >= PROCESSES_MAX || !found.insert(pid) {
            continue;
        }
        let threads = fs::read_dir(proc.join(pid.to_string()).join("task")).into_iter().flatten().flatten();
        for thread in threads {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            open.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
    }
    found
}

/// Everybody in a process group, and the descendants of its leader.
fn group(proc: &Path, leader: i32) -> BTreeSet<i32> {
    let mut found = below(proc, leader);
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let in_group = |pid: &i32| Stat::read(&proc.join(pid.to_string())).is_some_and(|stat| stat.group == leader);
    found.extend(pids.filter(in_group));
    found
}

/// Processes and threads of a user, as the kernel counts them for `RLIMIT_NPROC`.
pub(super) fn threads_of(proc: &Path, uid: u32) -> u64 {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<i32>().is_ok()));
    let threads = |status: &str| -> Option<u64> {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let own = field("Uid:")?.split_whitespace().next()?.parse::<u32>().ok()?;
        (own == uid).then(|| field("Threads:")?.trim().parse().ok()).flatten()
    };
    dirs.filter_map(|dir| threads(&fs::read_to_string(dir.path().join("status")).ok()?)).sum()
}

struct Stat {
    group: i32,
    ticks: u64,
}

impl Stat {
    /// The second field, the name, may contain anything, so reading starts after its last bracket.
    fn read(dir: &Path) -> Option<Self> {
        let stat = fs::read(dir.join("stat")).ok()?;
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        // utime, stime, cutime, cstime: fields 14 to 17, counted from 1.
        let ticks = (11..15).map(number).sum::<Option<u64>>()?;
        Some(Self { group: fields.get(2)?.parse().ok()?, ticks })
    }
}

/// A tick is 1/100 s wherever Linux runs; the constant has been part of its interface from the beginning.
fn ticks_to_micros(ticks: u64) -> u64 {
    ticks.saturating_mul(10_000)
}

fn memory(dir: &Path) -> Option<u64> {
    let status = fs::read_to_string(dir.join("status")).ok()?;
    let kib = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some((kib("RssAnon:")? + kib("RssShmem:").unwrap_or(0)) * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_summed_whatever_its_processes_call_themselves() {
        let dir = tempfile::tempdir().unwrap();
        let process = |pid: i32, name: &str, group: i32, ticks: u64, kib: u64, children: &str| {
            let at = dir.path().join(pid.to_string());
            fs::create_dir_all(at.join(format!("task/{pid}"))).unwrap();
            let stat = format!("{pid} ({name}) S 1 {group} 1 0 -1 0 0 0 0 0 {ticks} 1 2 3 20 0 1 0 9 9 9");
            fs::write(at.join("stat"), stat).unwrap();
            fs::write(at.join("status"), format!("Name:\tx\nRssAnon:\t{kib} kB\nRssFile:\t77 kB\nRssShmem:\t1 kB\n"))
                .unwrap();
            fs::write(at.join(format!("task/{pid}/children")), children).unwrap();
        };
        process(10, "a b) S 9", 10, 4, 100, "11 12 ");
        process(11, "sh", 10, 14, 10, "");
        process(12, "left", 12, 94, 1000, "");
        process(13, "orphan", 10, 0, 1, "");
        process(14, "stranger", 14, 5000, 5000, "");
        let tree = usage(dir.path(), 10, Tier::Namespaces).unwrap();
        assert_eq!((tree.processes, tree.cpu_micros, tree.memory_bytes), (3, 1_300_000, 1113 * 1024));
        let group = usage(dir.path(), 10, Tier::Filters).unwrap();
        assert_eq!((group.processes, group.memory_bytes), (4, 1115 * 1024));
        assert_eq!(usage(dir.path(), 99, Tier::Namespaces), None);
    }
}
