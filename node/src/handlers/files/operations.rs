//! The operations, each on a place that was found below an allowed directory. They block.

use std::io::{self, ErrorKind, Read as _, Seek, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::fs::{Dir, DirBuilder, File, FileType, OpenOptions};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::roots::{Place, too_long};
use crate::handlers::removal::remove_tree;
use crate::handlers::{ErrorClass, TaskContext, TaskError};

/// Entries of a directory that are listed.
const ENTRIES_MAX: usize = 10_000;

const CHUNK_BYTES: usize = 64 * 1024;

/// What an error of the system means for the task.
pub(super) fn failed(path: &str, error: &io::Error) -> TaskError {
    let class = match error.kind() {
        ErrorKind::PermissionDenied => ErrorClass::PermissionDenied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::OutOfMemory => ErrorClass::ResourceExhausted,
        // A way out of the directory, as some kernels tell it.
        ErrorKind::CrossesDevices => ErrorClass::PermissionDenied,
        _ => ErrorClass::TaskError,
    };
    let shown: String = path.chars().take(200).collect();
    TaskError::new(class, format!("{shown}: {error}"))
}

/// What a read found.
pub(super) enum Read {
    Content {
        content: String,
        size: u64,
        hash: String,
    },
    /// To be stored as a blob.
    Large {
        file: std::fs::File,
        size: u64,
    },
}

pub(super) fn read(place: &Place<'_>, content_max: u64, bytes_max: u64, base64: bool) -> io::Result<Read> {
    let mut file = place.open_read()?;
    let size = file.metadata()?.len();
    if size > bytes_max {
        return Err(too_long(bytes_max));
    }
    let mut bytes = Vec::new();
    (&mut file).take(content_max + 1).read_to_end(&mut bytes)?;
    let small = bytes.len() as u64 <= content_max;
    let hash = blake3::hash(&bytes).to_hex().to_string();
    let size_read = bytes.len() as u64;
    let content = match (small, base64) {
        (false, _) => None,
        (true, true) => Some(BASE64.encode(&bytes)),
        (true, false) => String::from_utf8(bytes).ok(),
    };
    match content {
        Some(content) => Ok(Read::Content { content, size: size_read, hash }),
        None => {
            file.rewind()?;
            Ok(Read::Large { file: file.into_std(), size: size.max(size_read) })
        }
    }
}

/// A file that takes its name only when it is whole; dropped before, it leaves nothing.
struct Draft<'a> {
    dir: &'a Dir,
    name: Option<PathBuf>,
    file: File,
}

impl<'a> Draft<'a> {
    fn new(dir: &'a Dir) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = PathBuf::from(format!(".rc-node-{}-{number}.new", std::process::id()));
            match dir.open_with(&name, OpenOptions::new().write(true).create_new(true)) {
                // What an earlier life left behind is stepped over.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                file => return file.map(|file| Self { dir, name: Some(name), file }),
            }
        }
    }

    /// Takes everything, and tells how much that was, and its hash.
    fn fill(&mut self, source: &mut dyn io::Read, bytes_max: u64) -> io::Result<(u64, String)> {
        let mut hasher = blake3::Hasher::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut total = 0;
        loop {
            let n = source.read(&mut chunk)?;
            if n == 0 {
                return Ok((total, hasher.finalize().to_hex().to_string()));
            }
            total += n as u64;
            if total > bytes_max {
                return Err(too_long(bytes_max));
            }
            hasher.update(&chunk[..n]);
            self.file.write_all(&chunk[..n])?;
        }
    }

    fn keep(mut self, name: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        if let Some(draft) = &self.name {
            self.dir.rename(draft, self.dir, name)?;
            self.name = None;
        }
        sync(self.dir)
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            // If it cannot be removed it stays as what it is called.
            let _ = self.dir.remove_file(name);
        }
    }
}

/// A new name is on disk.
fn sync(dir: &Dir) -> io::Result<()> {
    // The handle itself only finds names; this one can be synced.
    dir.open(".")?.sync_all()
}

/// What is there already may be replaced if it is a file of its own.
fn check_target(dir: &Dir, name: &Path, overwrite: bool) -> io::Result<()> {
    match dir.symlink_metadata(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) if !overwrite => Err(io::Error::new(ErrorKind::AlreadyExists, "there is something of that name already")),
        Ok(about) if about.is_file() => Ok(()),
        Ok(about) if about.is_dir() => Err(io::Error::new(ErrorKind::IsADirectory, "it is a directory")),
        Ok(_) => Err(io::Error::new(ErrorKind::PermissionDenied, "it is no regular file")),
    }
}

pub(super) fn write(place: &Place<'_>, source: &mut dyn io::Read, bytes_max: u64) -> io::Result<Value> {
    let (dir, name) = place.parent()?;
    check_target(&dir, &name, true)?;
    let mut draft = Draft::new(&dir)?;
    let (bytes, hash) = draft.fill(source, bytes_max)?;
    draft.keep(&name)?;
    Ok(json!({"bytes_written": bytes, "hash": hash}))
}

pub(super) fn append(place: &Place<'_>, source: &mut dyn io::Read, bytes_max: u64) -> io::Result<Value> {
    place.parent()?;
    let mut file = place.open(OpenOptions::new().append(true).create(true))?;
    let before = file.metadata()?.len();
    let room = bytes_max.saturating_sub(before);
    let mut bytes = Vec::new();
    source.take(room + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > room {
        return Err(too_long(bytes_max));
    }
    file.write_all(&bytes)?;
    file.sync_all()?;
    Ok(json!({"bytes_written": bytes.len(), "size": before + bytes.len() as u64}))
}

fn kind(of: FileType) -> &'static str {
    match of {
        _ if of.is_file() => "file",
        _ if of.is_dir() => "directory",
        _ if of.is_symlink() => "symlink",
        _ => "other",
    }
}

pub(super) fn list(place: &Place<'_>) -> io::Result<Value> {
    let mut entries = Vec::new();
    let mut truncated = false;
    for entry in place.root.read_dir(&place.path)? {
        if entries.len() == ENTRIES_MAX {
            truncated = true;
            break;
        }
        let entry = entry?;
        // One that goes while it is listed is not there.
        let Ok(about) = entry.metadata() else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        let size = about.is_file().then(|| about.len());
        entries.push((name, kind(about.file_type()), size));
    }
    entries.sort();
    let shown: Vec<_> =
        entries.into_iter().map(|(name, kind, size)| json!({"name": name, "type": kind, "size": size})).collect();
    Ok(json!({"entries": shown, "truncated": truncated}))
}

pub(super) fn stat(place: &Place<'_>) -> io::Result<Value> {
    let about = place.root.symlink_metadata(&place.path)?;
    let modified = about.modified().ok().and_then(|time| {
        let since = time.into_std().duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(since.as_secs())
    });
    let size = about.is_file().then(|| about.len());
    Ok(json!({"type": kind(about.file_type()), "size": size, "modified": modified}))
}

pub(super) fn exists(place: &Place<'_>) -> io::Result<Value> {
    match place.root.symlink_metadata(&place.path) {
        Ok(_) => Ok(json!({"exists": true})),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(json!({"exists": false}))
        }
        Err(error) => Err(error),
    }
}

pub(super) fn mkdir(place: &Place<'_>, recursive: bool) -> io::Result<Value> {
    if recursive {
        let created = place.root.symlink_metadata(&place.path).is_err();
        place.root.create_dir_with(&place.path, DirBuilder::new().recursive(true))?;
        return Ok(json!({"created": created}));
    }
    place.root.create_dir(&place.path)?;
    Ok(json!({"created": true}))
}

pub(super) fn copy(from: &Place<'_>, to: &Place<'_>, overwrite: bool, bytes_max: u64) -> io::Result<Value> {
    let mut source = from.open_read()?;
    let (dir, name) = to.parent()?;
    check_target(&dir, &name, overwrite)?;
    let mut draft = Draft::new(&dir)?;
    let (bytes, hash) = draft.fill(&mut source, bytes_max)?;
    draft.keep(&name)?;
    Ok(json!({"bytes": bytes, "hash": hash}))
}

pub(super) fn rename(from: &Place<'_>, to: &Place<'_>, overwrite: bool, bytes_max: u64) -> io::Result<Value> {
    let (old, old_name) = from.parent()?;
    let (new, new_name) = to.parent()?;
    check_target(&new, &new_name, overwrite)?;
    match old.rename(&old_name, &new, &new_name) {
        // Between file systems a file is copied, and gone only when its copy is on disk.
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            let done = copy(from, to, overwrite, bytes_max)?;
            old.remove_file(&old_name)?;
            Ok(done)
        }
        Err(error) => Err(error),
        Ok(()) => {
            sync(&new)?;
            Ok(json!({}))
        }
    }
}

pub(super) fn delete(place: &Place<'_>, recursive: bool) -> io::Result<Value> {
    let (dir, name) = place.parent()?;
    // Of a symbolic link, the link and not what it leads to.
    if !dir.symlink_metadata(&name)?.is_dir() {
        dir.remove_file(&name)?;
    } else if recursive {
        remove_tree(dir.as_fd(), &name, false)?;
    } else {
        dir.remove_dir(&name)?;
    }
    Ok(json!({"deleted": true}))
}

pub(super) fn hash(place: &Place<'_>, ctx: &TaskContext) -> io::Result<Value> {
    let mut file = place.open_read()?;
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut total = 0_u64;
    loop {
        let n = file.read(&mut chunk)?;
        if n == 0 {
            return Ok(json!({"hash": hasher.finalize().to_hex().to_string(), "size": total}));
        }
        if ctx.is_cancelled() {
            return Err(io::Error::new(ErrorKind::Interrupted, "stopped before it was done"));
        }
        hasher.update(&chunk[..n]);
        total += n as u64;
    }
}
