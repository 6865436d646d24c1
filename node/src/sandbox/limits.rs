//! What a child does to itself between fork and exec. Only system calls here: the fork of a process with threads may
//! find any lock taken, that of the allocator included.

use std::io;

use super::ProcessLimits;
use super::user::{TaskUser, drop_root};

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) type Resource = libc::c_uint;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) type Resource = libc::c_int;

/// Applies the limits and the ties to the parent, as somebody else if this is root and there is somebody to be. `parent` is the
/// process that forked.
pub(super) fn confine(
    limits: &ProcessLimits,
    user: Option<TaskUser>,
    mark: Option<u32>,
    parent: libc::pid_t,
) -> io::Result<()> {
    // First: a change of user unties.
    user.map_or(Ok(()), drop_root)?;
    die_with(parent)?;
    set(libc::RLIMIT_CORE as Resource, Some(0))?;
    set(libc::RLIMIT_FSIZE as Resource, limits.file_bytes)?;
    set(libc::RLIMIT_NOFILE as Resource, limits.open_files)?;
    set(libc::RLIMIT_DATA as Resource, limits.memory_bytes)?;
    set(libc::RLIMIT_STACK as Resource, limits.stack_bytes)?;
    // Without it survivors are looked for by less.
    let _ = mark.map(brand);
    // SAFETY: umask cannot fail and touches nothing but this process.
    unsafe { libc::umask(0o077) };
    Ok(())
}

/// Makes this process and all its descendants known by a number: as microseconds that a thread of real time may compute without
/// a pause, which nobody here is. A limit that is set already stays as it is.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn brand(number: u32) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for the first call to fill in and for the second to read.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_RTTIME, &mut limit) != 0 {
            return Err(io::Error::last_os_error());
        }
        if limit.rlim_max == libc::RLIM_INFINITY {
            limit = libc::rlimit { rlim_cur: number as libc::rlim_t, rlim_max: number as libc::rlim_t };
            if libc::setrlimit(libc::RLIMIT_RTTIME, &limit) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

/// There is no such limit.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn brand(_: u32) -> io::Result<()> {
    Ok(())
}

/// Has the kernel kill this process when the thread that forked it ends, and forbids it to gain privileges by exec.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn die_with(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: these prctl options take plain integers.
    let failed = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as libc::c_ulong, 0, 0, 0) != 0
    };
    if failed {
        return Err(io::Error::last_os_error());
    }
    // If the parent died before the first call there will be no signal.
    // SAFETY: getppid cannot fail.
    if unsafe { libc::getppid() } != parent {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn die_with(_: libc::pid_t) -> io::Result<()> {
    Ok(())
}

/// Lowers a limit, never beyond what the owner's own limit allows.
pub(super) fn set(resource: Resource, wanted: Option<u64>) -> io::Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for the call to fill in.
    if unsafe { libc::getrlimit(resource as _, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let value = (wanted as libc::rlim_t).min(limit.rlim_max);
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: `limit` is a valid rlimit that the call only reads.
    if unsafe { libc::setrlimit(resource as _, &limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
