//! The small switches of a process that shall gain nothing and outlive nobody.

use std::io;

use super::super::sys::check;

/// No exec gains privileges from here on.
pub(super) fn no_new_privileges() -> io::Result<()> {
    // SAFETY: this prctl takes plain integers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as libc::c_ulong, 0, 0, 0) }).map(drop)
}

/// Killed when the thread that made this process ends. A change of user forgets it.
pub(super) fn die_with_parent() -> io::Result<()> {
    // SAFETY: this prctl takes plain integers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0) }).map(drop)
}

/// Nobody of the same user reads its memory, or what the kernel shows of it.
pub(super) fn hide_memory() -> io::Result<()> {
    // SAFETY: this prctl takes plain integers.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0 as libc::c_ulong, 0, 0, 0) }).map(drop)
}
