//! Removes a directory with all that is in it, however deep it is. Nothing calls itself and no more than a few files are open, because
//! who made the tree may have meant that to be the end of who removes it: directories are lifted to the top first, one level after
//! the other. Links are not followed; nothing outside is touched.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, chmodat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A directory by its name in another, and not by a link to it.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Who else adds to it while it is emptied is not waited for for ever.
const PASSES_MAX: usize = 8;

/// Removes the directory that is called `name` in `parent`. `unlock`: also what its maker has locked, for which nobody else may be at
/// work in there any more.
///
/// # Errors
/// What could not be removed is left, and the rest may be.
pub(super) fn remove_tree(parent: BorrowedFd<'_>, name: &Path, unlock: bool) -> io::Result<()> {
    let name = CString::new(name.as_os_str().as_bytes())?;
    let mut number = [0; 8];
    getrandom::fill(&mut number).map_err(io::Error::other)?;
    let mut lift =
        Lift { top: None, prefix: format!(".removed-{:016x}-", u64::from_ne_bytes(number)), count: 0, unlock };
    let top = lift.open(parent, &name)?;
    lift.top = Some(top.try_clone()?);
    lift.empty(&top)?;
    let mut next = 0;
    while next < lift.count {
        let lifted = lift.name(next)?;
        let dir = lift.open(top.as_fd(), &lifted)?;
        lift.empty(&dir)?;
        unlinkat(&top, lifted, AtFlags::REMOVEDIR)?;
        next += 1;
    }
    Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

/// The same of a directory that has a path.
pub(super) fn remove_path(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    remove_tree(File::open(parent)?.as_fd(), Path::new(name), true)
}

struct Lift {
    /// Where directories are lifted to.
    top: Option<OwnedFd>,
    prefix: String,
    /// How many were.
    count: u64,
    unlock: bool,
}

impl Lift {
    fn name(&self, number: u64) -> io::Result<CString> {
        Ok(CString::new(format!("{}{number}", self.prefix))?)
    }

    fn open(&self, parent: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
        match openat(parent, name, DIRECTORY, Mode::empty()) {
            Err(Errno::ACCESS) if self.unlock => {
                chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
                Ok(openat(parent, name, DIRECTORY, Mode::empty())?)
            }
            opened => Ok(opened?),
        }
    }

    /// Removes what is in a directory, and lifts directories out of it.
    fn empty(&mut self, dir: &OwnedFd) -> io::Result<()> {
        if self.unlock {
            // Opened it can be, but perhaps not changed. Who may not unlock it finds that out below.
            let _ = rustix::fs::fchmod(dir, Mode::RWXU);
        }
        for _ in 0..PASSES_MAX {
            let mut left = false;
            // Some file systems forget entries while others are removed, so it is read until there is nothing.
            for entry in Dir::read_from(dir)? {
                let entry = entry?;
                let name = entry.file_name();
                let own = [b".", &b".."[..]].contains(&name.to_bytes())
                    || name.to_bytes().starts_with(self.prefix.as_bytes());
                if !own {
                    left = true;
                    self.take(dir, name, entry.file_type())?;
                }
            }
            if !left {
                return Ok(());
            }
        }
        Err(io::Error::from(io::ErrorKind::DirectoryNotEmpty))
    }

    fn take(&mut self, dir: &OwnedFd, name: &CStr, kind: FileType) -> io::Result<()> {
        let kind = match kind {
            FileType::Unknown => FileType::from_raw_mode(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode),
            kind => kind,
        };
        if kind != FileType::Directory {
            return Ok(unlinkat(dir, name, AtFlags::empty())?);
        }
        let Some(top) = &self.top else { return Err(io::Error::from(io::ErrorKind::InvalidInput)) };
        let lifted = self.name(self.count)?;
        match renameat(dir, name, top, &lifted) {
            // To leave its parent a directory must let itself be changed.
            Err(Errno::ACCESS | Errno::PERM) if self.unlock => {
                chmodat(dir, name, Mode::RWXU, AtFlags::empty())?;
                renameat(dir, name, top, &lifted)?;
            }
            renamed => renamed?,
        }
        self.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// Directories in one another, by their names alone: a path would be too long.
    fn nest(at: &Path, depth: usize) {
        let mut dir: OwnedFd = File::open(at).unwrap().into();
        for _ in 0..depth {
            rustix::fs::mkdirat(&dir, "d", Mode::RWXU).unwrap();
            dir = openat(&dir, "d", DIRECTORY, Mode::empty()).unwrap();
        }
        let file = openat(&dir, "file", OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR).unwrap();
        rustix::io::write(file, b"x").unwrap();
    }

    #[test]
    fn a_tree_is_removed_however_deep_and_nothing_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let (tree, beside) = (place.path().join("tree"), place.path().join("beside"));
        fs::create_dir_all(tree.join("a/b/c")).unwrap();
        fs::create_dir_all(&beside).unwrap();
        fs::write(beside.join("kept"), "kept").unwrap();
        symlink(&beside, tree.join("link")).unwrap();
        symlink("../../beside", tree.join("a/link")).unwrap();
        fs::hard_link(beside.join("kept"), tree.join("a/b/second")).unwrap();
        (0..300).for_each(|n| fs::create_dir_all(tree.join(format!("many/{n}/x"))).unwrap());
        nest(&tree.join("a/b/c"), 2_500);
        // On a thread with as little stack as those have on which this runs.
        let removed = tree.clone();
        std::thread::Builder::new()
            .stack_size(128 << 10)
            .spawn(move || remove_path(&removed))
            .unwrap()
            .join()
            .unwrap()
            .unwrap();
        assert!(!tree.exists());
        assert_eq!(fs::read_to_string(beside.join("kept")).unwrap(), "kept");
        assert!(remove_path(&tree).is_err(), "it is gone");
        symlink(&beside, &tree).unwrap();
        assert!(remove_path(&tree).is_err() && beside.join("kept").exists(), "a link is no directory");
    }

    #[test]
    fn what_was_locked_is_removed_by_who_may_unlock_it() {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("tree");
        fs::create_dir_all(tree.join("a/b/c")).unwrap();
        fs::write(tree.join("a/b/c/file"), "x").unwrap();
        for dir in ["a/b/c", "a/b", "a", ""] {
            fs::set_permissions(tree.join(dir), fs::Permissions::from_mode(0o000)).unwrap();
        }
        remove_path(&tree).unwrap();
        assert!(!tree.exists());
    }
}
