//! What a worker process does to itself before it takes its first request: from then on it computes, talks over the pipes that it
//! has, and can do nothing else.

use std::io;
use std::path::PathBuf;

use super::super::user::{drop_root, task_user};
use super::super::worker::{Restricted, WorkerGrants};
use super::landlock::confine;
use super::privilege::{die_with_parent, hide_memory, no_new_privileges};
use super::seccomp::{Filter, install};

/// Takes from the calling process all that a computation does not need: files but for those granted, sockets, new programs and
/// processes, signals to others, tracing, root. It keeps its open files (pipes), memory and threads. There is no way back.
///
/// To be called once, by the only thread there is: threads that run already would not be held. Open first what must be open.
/// Limits on memory and open files are those of [`ProcessLimits`](crate::sandbox::ProcessLimits), set by whoever starts the
/// worker.
///
/// A worker that has files granted and no landlock to hold it to them is refused, so that a grant never becomes a hole.
///
/// # Errors
/// The process is in a state between; it should end without having served anything.
pub fn restrict_worker(grants: &WorkerGrants) -> io::Result<Restricted> {
    drop_root(task_user())?;
    die_with_parent()?;
    no_new_privileges()?;
    hide_memory()?;
    let (read, write) = (grants.read.iter().map(PathBuf::as_path), grants.write.iter().map(PathBuf::as_path));
    let named = !grants.read.is_empty() || !grants.write.is_empty();
    // Without landlock in the kernel this is no error, and the filter of system calls does it alone.
    let held = confine(read, write)?.files;
    if named && !held {
        return Err(io::Error::other("files are granted to a worker, and this kernel cannot hold it to them"));
    }
    let calls = match install(Filter::Worker { files: named }) {
        Ok(()) => true,
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) => false,
        Err(error) => return Err(error),
    };
    Ok(Restricted { files: held || (calls && !named), calls })
}

#[cfg(test)]
mod tests;
