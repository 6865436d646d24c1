//! Against directories that look like the kernel's, and, where this machine lets us, against the kernel.

use super::*;

/// A file system as the kernel shows it: paths and what they say.
fn fixture(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn groups(dir: &tempfile::TempDir) -> Groups {
    Groups::find(&dir.path().join("proc"), &dir.path().join("sys"), "k")
}

const ALL: GroupLimits = GroupLimits { cpu_percent: Some(50.0), memory_bytes: Some(1 << 20), processes: Some(9) };

#[test]
fn version_2_is_used_where_the_subtree_is_the_nodes_own() {
    let me = std::process::id().to_string();
    let dir = fixture(&[
        ("proc/self/cgroup", "0::/user.slice/rc.service\n"),
        ("sys/cgroup.controllers", "cpu memory pids\n"),
        ("sys/user.slice/rc.service/cgroup.controllers", "cpuset cpu memory pids\n"),
        ("sys/user.slice/rc.service/cgroup.type", "domain\n"),
        ("sys/user.slice/rc.service/cgroup.procs", &me),
    ]);
    let own = dir.path().join("sys/user.slice/rc.service");
    let node = format!("rc-node-{me}-k");
    let read = |path: &str| fs::read_to_string(own.join(path.replace("NODE", &node))).unwrap();
    let groups = groups(&dir);
    assert!(Controller::ALL.into_iter().all(|controller| groups.has(controller)));
    assert_eq!(read("NODE-self/cgroup.procs"), me, "the node left the group that hands controllers on");
    assert_eq!(read("cgroup.subtree_control"), "+pids");
    assert_eq!(read("NODE/cgroup.subtree_control"), "+pids");
    let group = groups.make(&ALL).unwrap();
    for (file, text) in [("cpu.max", "50000 100000"), ("memory.max", "1048576"), ("pids.max", "9")] {
        assert_eq!(read(&format!("NODE/task-0/{file}")), text);
    }
    fs::write(own.join(format!("{node}/task-0/memory.events")), "oom 4\noom_kill 3\n").unwrap();
    fs::write(own.join(format!("{node}/task-0/cpu.stat")), "usage_usec 7\nnr_throttled 5\n").unwrap();
    assert_eq!((group.out_of_memory(), group.throttled()), (3, 5));
    fs::write(own.join(format!("{node}/task-0/cgroup.procs")), "").unwrap();
    assert!(!group.is_peopled());
    assert_eq!(group.doors().unwrap().len(), 1);
}

#[test]
fn version_2_is_left_alone_where_others_live_or_nothing_is_handed_on() {
    for (procs, controllers) in [("1\n", "cpu memory"), ("", "hugetlb"), ("", "")] {
        let dir = fixture(&[
            ("proc/self/cgroup", "0::/session.scope\n"),
            ("sys/cgroup.controllers", "cpu"),
            ("sys/session.scope/cgroup.controllers", controllers),
            ("sys/session.scope/cgroup.procs", procs),
        ]);
        let groups = groups(&dir);
        assert!(!groups.has(Controller::Cpu), "{procs:?} {controllers:?}");
        let left = fs::read_dir(dir.path().join("sys/session.scope")).unwrap().flatten();
        assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with("rc-node")));
        assert!(groups.make(&ALL).unwrap().parts.is_empty());
    }
    let none = fixture(&[("proc/self/cgroup", "nonsense\n4:cpu\n")]);
    assert!(!groups(&none).has(Controller::Cpu));
}

#[test]
fn version_1_has_a_directory_for_each_controller_and_old_ones_are_swept() {
    let dir = fixture(&[
        ("proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/docker/0123\n0::/\n"),
        ("sys/cpu/x", ""),
        ("sys/memory/x", ""),
        ("sys/unified/cgroup.controllers", "hugetlb"),
        ("proc/88/status", ""),
    ]);
    let sys = dir.path().join("sys");
    // Of this node in an earlier life, of one that is dead, and of one that lives.
    for old in ["rc-node-88-k/task-77", "rc-node-77-other", "rc-node-88-other/task-1", "stranger-1"] {
        fs::create_dir_all(sys.join("cpu").join(old)).unwrap();
    }
    let groups = groups(&dir);
    let there = |name: &str| sys.join("cpu").join(name).exists();
    assert!(!there("rc-node-88-k") && !there("rc-node-77-other"));
    assert!(there("rc-node-88-other/task-1") && there("stranger-1"));
    assert!(groups.has(Controller::Cpu) && groups.has(Controller::Memory) && !groups.has(Controller::Processes));
    let group = groups.make(&GroupLimits { cpu_percent: Some(0.1), ..ALL }).unwrap();
    let node = format!("rc-node-{}-k", std::process::id());
    let read = |controller: &str, file: &str| {
        fs::read_to_string(sys.join(controller).join(&node).join("task-0").join(file)).unwrap()
    };
    assert_eq!(read("cpu", "cpu.cfs_quota_us"), "1000", "the least that there is");
    assert_eq!(read("memory", "memory.limit_in_bytes"), "1048576");
    assert_eq!(group.parts.len(), 2);
}

#[tokio::test]
async fn the_kernels_own_groups_are_made_limited_and_removed() {
    let key = format!("test-{}", std::process::id());
    let groups = Groups::find(Path::new("/proc"), Path::new("/sys/fs/cgroup"), &key);
    if !groups.has(Controller::Memory) {
        eprintln!("SKIPPED: no control groups can be made here");
        return;
    }
    let group = groups.make(&GroupLimits { memory_bytes: Some(64 << 20), ..GroupLimits::default() }).unwrap();
    let (dir, doors) = (group.parts[0].dir.clone(), group.doors().unwrap());
    let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    for door in &doors {
        rustix::io::write(door, child.id().to_string().as_bytes()).unwrap();
    }
    assert!(group.is_peopled());
    child.kill().unwrap();
    child.wait().unwrap();
    group.remove().await;
    assert!(!dir.exists());
    let parent = dir.parent().unwrap().to_owned();
    drop(groups);
    assert!(!parent.exists(), "{}", parent.display());
}
