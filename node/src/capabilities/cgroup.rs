//! What the control groups leave of the memory: version 1 and 2, the group of this process and those around it.

use super::{Roots, read_number, read_text};

/// Version 1 says "no limit" with the largest multiple of the page size; nobody has that much.
const LIMIT_BYTES_MAX: u64 = 1 << 60;

/// Groups are not nested deeper than this where anyone looks.
const DEPTH_MAX: usize = 32;

/// A memory limit, and what is left below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemoryLimit {
    pub(super) limit: u64,
    pub(super) available: Option<u64>,
}

struct Names {
    limit: &'static str,
    used: &'static str,
    reclaimable: &'static str,
}

const V2: Names = Names { limit: "memory.max", used: "memory.current", reclaimable: "inactive_file " };
const V1: Names =
    Names { limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes", reclaimable: "total_inactive_file " };

/// The tightest limit that holds for this process. `None` = no limit, or none that shows.
pub(super) fn memory_limit(roots: &Roots) -> Option<MemoryLimit> {
    let groups = read_text(roots.proc.join("self/cgroup"))?;
    let mounts = roots.sys.join("fs/cgroup");
    let mut tightest: Option<MemoryLimit> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (names, mount) = match controllers {
            "" => (&V2, mounts.clone()),
            list if list.split(',').any(|name| name == "memory") => (&V1, mounts.join("memory")),
            _ => continue,
        };
        // Inside of a container the path may be that of the host and not exist here; the mount itself always does.
        let path = path.trim_start_matches('/');
        if path.split('/').any(|part| part == "..") {
            continue;
        }
        let group = mount.join(path);
        for group in group.ancestors().take_while(|group| group.starts_with(&mount)).take(DEPTH_MAX) {
            let limit = read_number::<u64>(group.join(names.limit)).filter(|limit| *limit < LIMIT_BYTES_MAX);
            let Some(limit) = limit else { continue };
            let used = || {
                let used: u64 = read_number(group.join(names.used))?;
                let stat = read_text(group.join("memory.stat")).unwrap_or_default();
                let reclaimable = stat.lines().find_map(|line| line.strip_prefix(names.reclaimable)?.parse().ok());
                Some(used.saturating_sub(reclaimable.unwrap_or(0)))
            };
            let available = used().map(|used| limit.saturating_sub(used));
            let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
            tightest = Some(match tightest {
                None => MemoryLimit { limit, available },
                Some(t) => MemoryLimit { limit: t.limit.min(limit), available: least(t.available, available) },
            });
        }
    }
    tightest
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn version_2_takes_the_tightest_of_the_groups_around_us() {
        let fixture = Fixture::new(&[
            ("proc/self/cgroup", "0::/user.slice/node.service\n"),
            ("sys/fs/cgroup/user.slice/node.service/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "1000000\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "900000\n"),
            ("sys/fs/cgroup/user.slice/memory.stat", "anon 1\ninactive_file 300000\nslab 4\n"),
        ]);
        let expected = MemoryLimit { limit: 1_000_000, available: Some(400_000) };
        assert_eq!(memory_limit(&fixture.roots()), Some(expected));
        fixture.write("sys/fs/cgroup/user.slice/node.service/memory.max", "500000");
        let expected = MemoryLimit { limit: 500_000, available: Some(400_000) };
        assert_eq!(memory_limit(&fixture.roots()), Some(expected));
    }

    #[test]
    fn version_1_works_beside_version_2_and_in_a_container() {
        let fixture = Fixture::new(&[
            ("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/docker/0123\n0::/x\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        assert_eq!(memory_limit(&fixture.roots()), None, "that number means no limit");
        fixture.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000");
        let expected = MemoryLimit { limit: 2000, available: None };
        assert_eq!(memory_limit(&fixture.roots()), Some(expected), "our group does not exist below this mount");
    }

    #[test]
    fn nothing_and_nonsense_are_no_limit() {
        assert_eq!(memory_limit(&Fixture::new(&[]).roots()), None);
        let fixture = Fixture::new(&[
            ("proc/self/cgroup", "nonsense\n0::/../../etc\n0::\n"),
            ("sys/fs/cgroup/memory.max", "lots"),
        ]);
        assert_eq!(memory_limit(&fixture.roots()), None);
    }
}
