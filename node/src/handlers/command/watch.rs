//! Looks at a running program now and then: what its processes use together, and what it has put on the disk. Says when it is too
//! much; who ends the program is somebody else.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sandbox::TreeUsage;

/// The first look: most programs are over by then.
const FIRST: Duration = Duration::from_millis(60);
/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(200);
/// At most one part in so many of the time is spent on looking.
const SHARE: u32 = 20;
/// Files and directories of one program. More are as bad as many bytes.
const FILES_MAX: u64 = 100_000;
/// Room that a program must leave on the file system of its work directory, whoever filled the rest.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// What a program may have.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) memory_bytes: Option<u64>,
    pub(super) disk_bytes: u64,
    pub(super) work: PathBuf,
}

/// The most that was seen.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Peak {
    pub(super) memory_bytes: u64,
    pub(super) cpu_micros: u64,
}

/// Looks until something is too much, and says what. Never ends otherwise. `tell` hears what was seen.
pub(super) async fn watch(look: impl Fn() -> Look, bounds: Bounds, peak: &mut Peak, tell: impl Fn(&Peak)) -> String {
    let mut pause = FIRST;
    loop {
        tokio::time::sleep(pause).await;
        let (see, bounds) = (look(), bounds.clone());
        let seen = tokio::task::spawn_blocking(move || {
            let begin = Instant::now();
            let usage = see();
            let disk = excess_on_disk(&bounds);
            (usage, disk, begin.elapsed(), bounds)
        });
        // An error means that the runtime is going down.
        let Ok((usage, disk, took, bounds)) = seen.await else { return std::future::pending().await };
        pause = INTERVAL.max(took * SHARE);
        if let Some(usage) = usage {
            peak.memory_bytes = peak.memory_bytes.max(usage.memory_bytes);
            peak.cpu_micros = peak.cpu_micros.max(usage.cpu_micros);
            tell(peak);
            if let Some(limit) = bounds.memory_bytes.filter(|limit| usage.memory_bytes > *limit) {
                return format!("its {} processes had more than {limit} bytes of memory", usage.processes);
            }
        }
        if let Some(excess) = disk {
            return excess;
        }
    }
}

/// Looks once.
pub(super) type Look = Box<dyn FnOnce() -> Option<TreeUsage> + Send>;

fn excess_on_disk(bounds: &Bounds) -> Option<String> {
    let (mut bytes, mut files) = (0_u64, 0_u64);
    if !add_up(&bounds.work, &mut bytes, &mut files, bounds.disk_bytes) {
        return Some("its directories were nested too deep to be looked at".to_owned());
    }
    if bytes > bounds.disk_bytes {
        return Some(format!("its files had more than {} bytes", bounds.disk_bytes));
    }
    if files > FILES_MAX {
        return Some(format!("it had more than {FILES_MAX} files"));
    }
    // Files that were removed and are still open have no name to count them by.
    let system = rustix::fs::statvfs(&bounds.work).ok()?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    (free < FREE_BYTES_MIN && bytes > 0).then(|| "the disk is nearly full".to_owned())
}

/// What is below a directory; `false` if some of it lies too deep to have a path. Stops once it is too much. Links are not followed; what
/// else cannot be seen does not count, and cannot be written to by the program either.
fn add_up(dir: &Path, bytes: &mut u64, files: &mut u64, bytes_max: u64) -> bool {
    use std::os::unix::fs::MetadataExt;
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        let entries = std::fs::read_dir(dir);
        if entries.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ENAMETOOLONG)) {
            return false;
        }
        for entry in entries.into_iter().flatten().flatten() {
            let Ok(seen) = entry.metadata() else { continue };
            *files += 1;
            *bytes = bytes.saturating_add(seen.blocks().saturating_mul(512));
            if *bytes > bytes_max || *files > FILES_MAX {
                return true;
            }
            if seen.is_dir() {
                open.push(entry.path());
            }
        }
    }
    true
}
