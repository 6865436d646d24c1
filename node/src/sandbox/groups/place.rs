//! Where this node may make control groups, if anywhere.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::Controller;

/// How many processes may share a group with the node for it to be the node's own; it has just started.
const OWN_PROCESSES_MAX: usize = 8;

/// Which kind of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A directory of this node, in which a directory for each task is made.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) dir: PathBuf,
    pub(super) version: Version,
    pub(super) controllers: Vec<Controller>,
}

impl Place {
    /// Makes a group for a task. The directory of this node may have been taken for one of a dead node, by one that sees other processes.
    pub(super) fn make(&self, name: &str) -> io::Result<PathBuf> {
        let dir = self.dir.join(name);
        match fs::create_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(&self.dir)?;
                self.hand_on()?;
                fs::create_dir(&dir)?;
            }
            made => made?,
        }
        Ok(dir)
    }

    fn hand_on(&self) -> io::Result<()> {
        let on = |controller: &Controller| {
            fs::write(self.dir.join("cgroup.subtree_control"), format!("+{}", controller.name()))
        };
        if self.version == Version::Two { self.controllers.iter().try_for_each(on) } else { Ok(()) }
    }
}

/// What the directories of nodes are called: this, the process, the key.
const PREFIX: &str = "rc-node-";

/// Removes what nodes left that live no more: those of this key, and those whose process is gone. A group in which somebody lives
/// stays, for the kernel does not remove it.
fn sweep(parent: &Path, proc: &Path, key: &str) {
    let dirs = |dir: &Path| {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
    };
    for dir in dirs(parent) {
        let name = dir.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(PREFIX));
        let Some((pid, other)) = name.and_then(|name| name.split_once('-')) else { continue };
        let own = pid == std::process::id().to_string();
        if own || (!other.starts_with(key) && proc.join(pid).exists()) {
            continue;
        }
        for below in dirs(&dir).chain([dir.clone()]) {
            if let Err(error) = fs::remove_dir(&below) {
                tracing::warn!(%error, group = %below.display(), "an old control group is left");
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Not while there is a task's group in it; then the next start sweeps.
        let _ = fs::remove_dir(&self.dir);
    }
}

/// One line of `/proc/self/cgroup`: the controllers of a hierarchy, none for version 2, and the path in it.
fn lines(text: &str) -> impl Iterator<Item = (Vec<&str>, &str)> {
    text.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        Some((controllers.split(',').filter(|name| !name.is_empty()).collect(), path))
    })
}

/// The directory of a group; that of the mount, where the path is one of another view of the system (in a container).
fn directory(mount: &Path, path: &str) -> PathBuf {
    let inner: PathBuf = Path::new(path).components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let dir = mount.join(inner);
    if dir.is_dir() { dir } else { mount.to_owned() }
}

pub(super) fn find(proc: &Path, sys: &Path, key: &str) -> Vec<Place> {
    let text = fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
    let mut places = Vec::new();
    for (controllers, path) in lines(&text) {
        if controllers.is_empty() {
            let mount = if sys.join("cgroup.controllers").exists() { sys.to_owned() } else { sys.join("unified") };
            let own = directory(&mount, path);
            sweep(&own, proc, key);
            match version_two(&own, &mount, key) {
                Ok(place) => places.insert(0, place),
                Err(why) => tracing::debug!(why, "no control groups of version 2"),
            }
            continue;
        }
        for controller in Controller::ALL.into_iter().filter(|controller| controllers.contains(&controller.name())) {
            let parent = directory(&sys.join(controller.name()), path);
            sweep(&parent, proc, key);
            let dir = parent.join(name(key));
            match make(&dir) {
                Ok(()) => places.push(Place { dir, version: Version::One, controllers: vec![controller] }),
                Err(error) => tracing::debug!(%error, dir = %dir.display(), "no control groups of version 1"),
            }
        }
    }
    places
}

fn name(key: &str) -> String {
    format!("{PREFIX}{}-{key}", std::process::id())
}

fn make(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A place below the node's own group. A group that hands controllers on must have no processes of its own (but for the root of all),
/// so the node moves into one beside those of its tasks; which is right only if the group is the node's alone, as a service manager
/// gives it one.
fn version_two(own: &Path, mount: &Path, key: &str) -> Result<Place, String> {
    let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let offered = text(own.join("cgroup.controllers"));
    let wanted: Vec<_> = Controller::ALL
        .into_iter()
        .filter(|controller| offered.split_whitespace().any(|name| name == controller.name()))
        .collect();
    if wanted.is_empty() {
        return Err(format!("{} hands on none of the controllers", own.display()));
    }
    let failed = |what: &str, error: io::Error| format!("{what} {}: {error}", own.display());
    let dir = own.join(name(key));
    make(&dir).map_err(|error| failed("no group can be made in", error))?;
    let mut place = Place { dir, version: Version::Two, controllers: Vec::new() };
    if own != mount || own.join("cgroup.type").exists() {
        let pids = text(own.join("cgroup.procs"));
        if pids.split_whitespace().count() > OWN_PROCESSES_MAX || !all_own(&pids) {
            return Err(format!("others live in {}", own.display()));
        }
        let home = own.join(format!("{}-self", name(key)));
        make(&home).map_err(|error| failed("no group can be made in", error))?;
        for pid in pids.split_whitespace() {
            fs::write(home.join("cgroup.procs"), pid).map_err(|error| failed("nobody moves within", error))?;
        }
    }
    for controller in wanted {
        let on = format!("+{}", controller.name());
        let handed = |dir: &Path| fs::write(dir.join("cgroup.subtree_control"), &on);
        if handed(own).and_then(|()| handed(&place.dir)).is_ok() {
            place.controllers.push(controller);
        }
    }
    if place.controllers.is_empty() {
        return Err(format!("{} keeps its controllers", own.display()));
    }
    Ok(place)
}

/// Whether there is nobody in a group but this process and those that it started.
fn all_own(pids: &str) -> bool {
    let me = std::process::id().to_string();
    let parent = |pid: &str| -> Option<String> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:").map(|pid| pid.trim().to_owned()))
    };
    pids.split_whitespace().all(|pid| pid == me || parent(pid).is_some_and(|parent| parent == me))
}
