//! Being nobody in particular: what a task runs as when the node itself is root, and the small switches that go with it.

use std::io;

use super::super::sys::check;

/// A user whom tasks run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct TaskUser {
    pub(in super::super) uid: u32,
    pub(in super::super) gid: u32,
}

/// An account that an owner can make for tasks alone.
const OWN_NAME: &str = "rc-node-task";
/// What is there anyway.
const NOBODY: TaskUser = TaskUser { uid: 65_534, gid: 65_534 };
/// Longest list of accounts that is read, bytes.
const PASSWD_BYTES_MAX: u64 = 4 << 20;

/// Whom tasks run as: this user, or if that is root the account `rc-node-task`, or else `nobody`.
pub(in super::super) fn task_user() -> TaskUser {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    if !uid.is_root() {
        return TaskUser { uid: uid.as_raw(), gid: gid.as_raw() };
    }
    let accounts = read_accounts();
    let named = |name: &str| accounts.lines().find_map(|line| account(line, name));
    named(OWN_NAME).or_else(|| named("nobody")).unwrap_or(NOBODY)
}

fn read_accounts() -> String {
    use std::io::Read;
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open("/etc/passwd") {
        // What cannot be read names nobody.
        let _ = file.take(PASSWD_BYTES_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The account of a line, if it has that name and is not root under another one.
fn account(line: &str, name: &str) -> Option<TaskUser> {
    let mut fields = line.split(':');
    if fields.next() != Some(name) {
        return None;
    }
    let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    (uid != 0 && gid != 0).then_some(TaskUser { uid, gid })
}

/// Stops being root, for good. Does nothing for anybody else.
///
/// # Errors
/// The system refuses; the process may have lost some of its privileges then, and should end.
pub(in super::super) fn drop_root(user: TaskUser) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    // SAFETY: plain integers, and a list of no groups.
    unsafe {
        check(libc::setgroups(0, std::ptr::null()))?;
        check(libc::setresgid(user.gid, user.gid, user.gid))?;
        check(libc::setresuid(user.uid, user.uid, user.uid))?;
    }
    if rustix::process::geteuid().is_root() || rustix::process::getuid().is_root() {
        return Err(io::Error::other("still root"));
    }
    Ok(())
}

/// No exec gains privileges from here on.
pub(in super::super) fn no_new_privileges() -> io::Result<()> {
    // SAFETY: this prctl takes plain integers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as libc::c_ulong, 0, 0, 0) }).map(drop)
}

/// Killed when the thread that made this process ends. A change of user forgets it.
pub(in super::super) fn die_with_parent() -> io::Result<()> {
    // SAFETY: this prctl takes plain integers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0) }).map(drop)
}

/// Nobody of the same user reads its memory, or what the kernel shows of it.
pub(in super::super) fn hide_memory() -> io::Result<()> {
    // SAFETY: this prctl takes plain integers.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0 as libc::c_ulong, 0, 0, 0) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_never_root() {
        assert_eq!(
            account("nobody:x:65534:65533:n:/:/bin/false", "nobody"),
            Some(TaskUser { uid: 65_534, gid: 65_533 })
        );
        assert_eq!(account("nobody2:x:5:5::/:", "nobody"), None);
        for root in ["nobody:x:0:5::/:", "nobody:x:5:0::/:", "nobody:x::5::/:", "nobody"] {
            assert_eq!(account(root, "nobody"), None, "{root}");
        }
        assert_ne!(task_user().uid, 0);
    }
}
