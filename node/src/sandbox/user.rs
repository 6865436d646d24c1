//! Whom tasks run as. Never root: a node that is root gives that up for everything it starts.

use std::io;
use std::io::Read;

use super::sys::check;

/// A user whom tasks run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskUser {
    /// Its number.
    pub uid: u32,
    /// Its group's number; it has no other groups.
    pub gid: u32,
}

/// An account that an owner can make for tasks alone.
const OWN_NAME: &str = "rc-node-task";
/// What is there anyway.
const NOBODY: TaskUser = TaskUser { uid: 65_534, gid: 65_534 };
/// Longest list of accounts that is read, bytes.
const PASSWD_BYTES_MAX: u64 = 4 << 20;

/// Whom tasks run as: this user, or if that is root the account `rc-node-task`, or else `nobody`.
pub fn task_user() -> TaskUser {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    if !uid.is_root() {
        return TaskUser { uid: uid.as_raw(), gid: gid.as_raw() };
    }
    let accounts = read_accounts();
    let named = |name: &str| accounts.lines().find_map(|line| account(line, name));
    named(OWN_NAME).or_else(|| named("nobody")).unwrap_or(NOBODY)
}

fn read_accounts() -> String {
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

/// Stops being root, for good. Does nothing for anybody else. System calls only.
///
/// # Errors
/// The system refuses; the process may have lost some of its privileges then, and should end.
pub(super) fn drop_root(user: TaskUser) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    // SAFETY: plain integers, and a list of no groups. For root each of these changes all of its numbers.
    unsafe {
        check(libc::setgroups(0, std::ptr::null()))?;
        check(libc::setgid(user.gid))?;
        check(libc::setuid(user.uid))?;
    }
    if rustix::process::geteuid().is_root() || rustix::process::getuid().is_root() {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_never_root() {
        let nobody = account("nobody:x:65534:65533:n:/:/bin/false", "nobody");
        assert_eq!(nobody, Some(TaskUser { uid: 65_534, gid: 65_533 }));
        assert_eq!(account("nobody2:x:5:5::/:", "nobody"), None);
        for root in ["nobody:x:0:5::/:", "nobody:x:5:0::/:", "nobody:x::5::/:", "nobody"] {
            assert_eq!(account(root, "nobody"), None, "{root}");
        }
        assert_ne!(task_user().uid, 0);
    }
}
