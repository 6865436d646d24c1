//! Control groups: limits on what all processes of a task use together, kept by the kernel. Version 2 where this process has been given
//! a subtree of its own, version 1 where its directories may be written to, which takes root. One directory for this node, one below
//! it for each task, removed with it; what a killed node left is removed at the next start.
//!
//! [`place`] finds out where groups can be made. Whether a limit there holds is not concluded but tried, by the
//! [`Shelter`](super::Shelter). Knows nothing of tasks.

mod place;

#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use place::{Place, Version};

/// Over which the kernel shares out processor time, microseconds.
const PERIOD_MICROS: u64 = 100_000;
/// The least that the kernel takes as a share, microseconds.
const QUOTA_MICROS_MIN: u64 = 1_000;
/// The dead leave a group a moment after they are collected.
const REMOVE_TRIES: u32 = 20;
const REMOVE_PAUSE: Duration = Duration::from_millis(10);

/// What a group limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Controller {
    Cpu,
    Memory,
    Processes,
}

impl Controller {
    const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Processes];

    const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Processes => "pids",
        }
    }
}

/// What the processes of one task may use together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GroupLimits {
    /// Processor time, percent of one core.
    pub cpu_percent: Option<f64>,
    /// Memory, bytes.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

impl GroupLimits {
    /// Which controllers it takes.
    fn controllers(&self) -> impl Iterator<Item = Controller> {
        let asked = [self.cpu_percent.is_some(), self.memory_bytes.is_some(), self.processes.is_some()];
        Controller::ALL.into_iter().zip(asked).filter(|(_, asked)| *asked).map(|(controller, _)| controller)
    }
}

/// Where groups for tasks are made.
#[derive(Debug)]
pub struct Groups {
    places: Vec<Place>,
    next: AtomicU64,
}

impl Groups {
    /// Finds places below `sys` (`/sys/fs/cgroup`) for the process that `proc` (`/proc`) is about, and removes what an earlier node
    /// of this `key` left there. Without any, no limit can be kept.
    pub fn find(proc: &Path, sys: &Path, key: &str) -> Self {
        Self { places: place::find(proc, sys, key), next: AtomicU64::new(0) }
    }

    fn place(&self, controller: Controller) -> Option<&Place> {
        self.places.iter().find(|place| place.controllers.contains(&controller))
    }

    /// Whether there is a place for such groups.
    pub(crate) fn has(&self, controller: Controller) -> bool {
        self.place(controller).is_some()
    }

    /// Makes a group. What there is no place for is left out.
    ///
    /// # Errors
    /// The system refuses; nothing is left.
    pub fn make(&self, limits: &GroupLimits) -> io::Result<Group> {
        let name = format!("task-{}", self.next.fetch_add(1, Ordering::Relaxed));
        let mut group = Group { parts: Vec::new() };
        for controller in limits.controllers() {
            let Some(place) = self.place(controller) else { continue };
            let dir = place.dir.join(&name);
            if group.parts.iter().all(|part| part.dir != dir) {
                let dir = place.make(&name)?;
                group.parts.push(Part { dir, version: place.version, controllers: Vec::new() });
            }
            if let Some(part) = group.parts.iter_mut().find(|part| part.dir == dir) {
                part.controllers.push(controller);
                part.limit(controller, limits)?;
            }
        }
        Ok(group)
    }
}

#[derive(Debug)]
struct Part {
    dir: PathBuf,
    version: Version,
    controllers: Vec<Controller>,
}

impl Part {
    fn limit(&self, controller: Controller, limits: &GroupLimits) -> io::Result<()> {
        let put = |name: &str, value: String| fs::write(self.dir.join(name), value);
        match (controller, self.version) {
            (Controller::Cpu, version) => {
                let percent = limits.cpu_percent.unwrap_or(0.0).clamp(0.0, 1e6);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
                let quota = ((percent / 100.0 * PERIOD_MICROS as f64) as u64).max(QUOTA_MICROS_MIN);
                if version == Version::Two {
                    return put("cpu.max", format!("{quota} {PERIOD_MICROS}"));
                }
                put("cpu.cfs_period_us", PERIOD_MICROS.to_string())?;
                put("cpu.cfs_quota_us", quota.to_string())
            }
            (Controller::Memory, version) => {
                let bytes = limits.memory_bytes.unwrap_or(0).to_string();
                if version == Version::Two {
                    put("memory.max", bytes)?;
                    // What does not fit must not push others out to the disk; some systems have no swap to speak of.
                    let _ = put("memory.swap.max", "0".to_owned());
                    return Ok(());
                }
                put("memory.limit_in_bytes", bytes.clone())?;
                // Memory and swap together; not there where swap is not counted.
                let _ = put("memory.memsw.limit_in_bytes", bytes);
                Ok(())
            }
            (Controller::Processes, _) => put("pids.max", limits.processes.unwrap_or(0).to_string()),
        }
    }

    fn number(&self, file: &str, name: &str) -> Option<u64> {
        let text = fs::read_to_string(self.dir.join(file)).ok()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

/// The group of one task. Dropping it removes it as soon as nobody is in it.
#[derive(Debug)]
pub struct Group {
    parts: Vec<Part>,
}

impl Group {
    /// What a process writes to in order to be in it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn doors(&self) -> io::Result<Vec<OwnedFd>> {
        let open = |part: &Part| OpenOptions::new().write(true).open(part.dir.join("cgroup.procs")).map(OwnedFd::from);
        self.parts.iter().map(open).collect()
    }

    fn part(&self, controller: Controller) -> Option<&Part> {
        self.parts.iter().find(|part| part.controllers.contains(&controller))
    }

    /// How often it had used up its processor time.
    pub(crate) fn throttled(&self) -> u64 {
        self.part(Controller::Cpu).and_then(|part| part.number("cpu.stat", "nr_throttled ")).unwrap_or(0)
    }

    /// How many of its processes the kernel has ended because the memory was used up.
    pub fn out_of_memory(&self) -> u64 {
        let part = self.part(Controller::Memory);
        let file = |part: &Part| if part.version == Version::Two { "memory.events" } else { "memory.oom_control" };
        part.and_then(|part| part.number(file(part), "oom_kill ")).unwrap_or(0)
    }

    /// Whether somebody is in every part of it.
    pub(crate) fn is_peopled(&self) -> bool {
        let peopled = |part: &Part| fs::read(part.dir.join("cgroup.procs")).is_ok_and(|pids| !pids.is_empty());
        self.parts.iter().all(peopled)
    }

    /// Removes it, waiting a little for the last to leave. What remains is for the next start to remove.
    pub async fn remove(mut self) {
        for _ in 0..REMOVE_TRIES {
            self.try_remove();
            if self.parts.is_empty() {
                return;
            }
            tokio::time::sleep(REMOVE_PAUSE).await;
        }
        tracing::warn!(group = ?self.parts.first().map(|part| &part.dir), "a control group is left");
    }

    fn try_remove(&mut self) {
        let stays = |part: &mut Part| match fs::remove_dir(&part.dir) {
            Ok(()) => false,
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        self.parts.retain_mut(stays);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.try_remove();
    }
}
