//! Files that go into the work directory of a command before it starts, and out of it after its end. Both ways they are blobs, and
//! nothing outside of the directory is touched or read: each step down is taken from a directory that is held open, no link is
//! followed, and only plain files with one name leave.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, statat};
use serde_json::{Value, json};

use super::super::{ErrorClass, TaskContext, TaskError};
use super::payload::InFile;
use crate::sandbox::TaskUser;

/// Files that leave, of those that match the first in order.
const OUT_FILES_MAX: usize = 48;
/// Entries that are looked at.
const ENTRIES_MAX: usize = 100_000;
/// Directories below one another.
const DEPTH_MAX: usize = 32;

/// Puts files in. The directory is new: nobody else has been there yet.
pub(super) async fn put_in(
    ctx: &TaskContext,
    work: &Path,
    files: &[InFile],
    user: Option<TaskUser>,
) -> Result<(), TaskError> {
    let mut bytes = 0_u64;
    for file in files {
        let blob = ctx.blob(file.blob).await?;
        let (work, file) = (work.to_owned(), file.clone());
        let copy = move || copy_in(&blob, &work, &file, user);
        let copied = tokio::task::spawn_blocking(copy).await.map_err(io::Error::other).flatten();
        bytes = bytes.saturating_add(copied.map_err(|error| {
            TaskError::new(ErrorClass::ResourceExhausted, format!("a file cannot be put in: {error}"))
        })?);
        let max = ctx.limits().disk_bytes_max;
        if bytes > max {
            return Err(TaskError::invalid(format!("the files of `in` have more than {max} bytes together")));
        }
    }
    Ok(())
}

fn copy_in(blob: &Path, work: &Path, file: &InFile, user: Option<TaskUser>) -> io::Result<u64> {
    let own = |path: &Path| user.map_or(Ok(()), |user| chown(path, Some(user.uid), Some(user.gid)));
    let mut dir = work.to_owned();
    for part in file.path.parent().into_iter().flat_map(Path::components) {
        dir.push(part);
        match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => own(&dir)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    let path = work.join(&file.path);
    let bytes = std::fs::copy(blob, &path)?;
    let mode = if file.executable { 0o700 } else { 0o600 };
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode))?;
    own(&path)?;
    Ok(bytes)
}

/// A file that leaves.
#[derive(Debug)]
struct Found {
    path: String,
    file: std::fs::File,
}

/// What was found: the files, and whether there were more.
#[derive(Debug, Default)]
struct Search {
    files: Vec<Found>,
    more: bool,
    entries: usize,
}

/// Stores the files that match: what to say of them in the result, and whether there were more.
pub(super) async fn take_out(
    ctx: &TaskContext,
    work: &Path,
    globs: Vec<String>,
) -> Result<(Vec<Value>, bool), TaskError> {
    let work = work.to_owned();
    let searched = tokio::task::spawn_blocking(move || search(&work, &globs)).await.map_err(io::Error::other);
    let search = searched.flatten().map_err(|error| {
        TaskError::new(ErrorClass::ResourceExhausted, format!("the work directory cannot be read: {error}"))
    })?;
    let mut files = Vec::new();
    for Found { path, file } in search.files {
        let blob = ctx.put_blob(tokio::fs::File::from_std(file)).await?;
        files.push(json!({ "path": path, "blob": blob.hash.to_string(), "bytes": blob.bytes }));
    }
    Ok((files, search.more))
}

fn search(work: &Path, globs: &[String]) -> io::Result<Search> {
    let root = openat(CWD, work, DIRECTORY, Mode::empty())?;
    let mut search = Search::default();
    walk(&root, Path::new(""), 0, globs, &mut search)?;
    Ok(search)
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);
/// Something that is no plain file must not make whoever opens it wait.
const FILE: OFlags =
    OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::RDONLY).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

fn walk(dir: &OwnedFd, at: &Path, depth: usize, globs: &[String], search: &mut Search) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        search.entries += 1;
        if search.entries > ENTRIES_MAX {
            search.more = true;
            break;
        }
        // A name that is no text cannot be said in a result.
        if let Ok(name) = std::str::from_utf8(name)
            && name != "."
            && name != ".."
        {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    for name in names {
        // What cannot be looked at is not there for whoever asks.
        let Ok(seen) = statat(dir, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let path = at.join(&name);
        match FileType::from_raw_mode(seen.st_mode) {
            FileType::Directory if depth < DEPTH_MAX => {
                if let Ok(below) = openat(dir, name.as_str(), DIRECTORY, Mode::empty()) {
                    walk(&below, &path, depth + 1, globs, search)?;
                }
            }
            FileType::RegularFile => {
                let Some(text) = path.to_str() else { continue };
                if globs.iter().any(|glob| fast_glob::glob_match(glob, text)) {
                    search.add(dir, &name, text);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

impl Search {
    fn add(&mut self, dir: &OwnedFd, name: &str, path: &str) {
        if self.files.len() >= OUT_FILES_MAX {
            self.more = true;
            return;
        }
        let Ok(file) = openat(dir, name, FILE, Mode::empty()) else { return };
        // Looked at again: what is open now counts, not what had the name before. A second name may be that of somebody else's file.
        let plain = fstat(&file)
            .is_ok_and(|seen| FileType::from_raw_mode(seen.st_mode) == FileType::RegularFile && seen.st_nlink == 1);
        if plain {
            self.files.push(Found { path: path.to_owned(), file: file.into() });
        }
    }
}

/// A path below the work directory, as tasks may name one.
pub(super) fn below(text: &str) -> Option<PathBuf> {
    use std::path::Component;
    let path = Path::new(text);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !text.is_empty() && text.len() <= 1024 && !text.contains('\0') && !text.ends_with('/'))
        .then(|| path.components().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_plain_files_of_the_directory_leave() {
        let place = tempfile::tempdir().unwrap();
        let (work, outside) = (place.path().join("work"), place.path().join("outside"));
        fs::create_dir_all(work.join("a/b")).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("secret.txt"), "secret").unwrap();
        for name in ["one.txt", "a/two.txt", "a/b/three.txt", "a/b/four.png"] {
            fs::write(work.join(name), name).unwrap();
        }
        symlink(outside.join("secret.txt"), work.join("link.txt")).unwrap();
        symlink(&outside, work.join("dir")).unwrap();
        symlink("..", work.join("a/up")).unwrap();
        fs::hard_link(outside.join("secret.txt"), work.join("hard.txt")).unwrap();
        #[cfg(target_os = "linux")]
        rustix::fs::mknodat(CWD, work.join("pipe.txt"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let found = |globs: &[&str]| -> Vec<String> {
            let globs: Vec<_> = globs.iter().map(ToString::to_string).collect();
            search(&work, &globs).unwrap().files.into_iter().map(|found| found.path).collect()
        };
        assert_eq!(found(&["**/*.txt"]), ["a/b/three.txt", "a/two.txt", "one.txt"]);
        assert_eq!(found(&["*.txt"]), ["one.txt"]);
        assert_eq!(found(&["a/*/*", "one.*"]), ["a/b/four.png", "a/b/three.txt", "one.txt"]);
        assert_eq!(found(&["../outside/*", "/etc/passwd", "dir/*", "nothing"]), Vec::<String>::new());
        for n in 0..60 {
            fs::write(work.join(format!("{n:02}.many")), "").unwrap();
        }
        let many = search(&work, &["*.many".to_owned()]).unwrap();
        assert!(many.files.len() == OUT_FILES_MAX && many.more);
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_none() {
        for good in ["a", "a/b.c", "a//b", ".hidden"] {
            assert!(below(good).is_some(), "{good}");
        }
        for bad in ["", "/a", "..", "a/../b", "./a", "a/", "a\0b", "../a", &"x".repeat(1025)] {
            assert!(below(bad).is_none(), "{bad}");
        }
    }
}
