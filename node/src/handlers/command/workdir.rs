//! A private directory for one task, removed afterwards.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::removal::remove_path;
use super::super::{ErrorClass, TaskError};
use crate::sandbox::TaskUser;

/// A directory that only this user can enter. Dropping it removes it, too, for a task that is left behind.
#[derive(Debug)]
pub(super) struct WorkDir {
    path: Option<PathBuf>,
}

impl WorkDir {
    /// Creates a new directory below `root`, for that user if it is not this process's own.
    pub(super) async fn create(root: &Path, user: Option<TaskUser>) -> Result<Self, TaskError> {
        let root = root.to_owned();
        let made = tokio::task::spawn_blocking(move || make(&root, user)).await.map_err(io::Error::other);
        let path = made.flatten().map_err(|e| {
            TaskError::new(ErrorClass::ResourceExhausted, format!("no work directory for the command: {e}"))
        })?;
        Ok(Self { path: Some(path) })
    }

    pub(super) fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new("/nonexistent"))
    }

    /// Removes it with all that is in it; symbolic links are not followed.
    pub(super) async fn remove(mut self) {
        if let Some(path) = self.path.take() {
            // A failed join means that the runtime goes down; `sweep_work_root` is for what is left then.
            let _ = tokio::task::spawn_blocking(move || clear(&path)).await;
        }
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            clear(&path);
        }
    }
}

/// Removes what a node that was killed left in its work root. For the start of a node, before its first task: two nodes
/// never share a work root.
///
/// # Errors
/// The root cannot be read. What cannot be removed is logged and left.
pub fn sweep_work_root(root: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(root) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).for_each(|e| clear(&e.path()));
    Ok(())
}

/// The name needs to be unique among what is alive only; what an earlier life left behind is stepped over.
fn make(root: &Path, user: Option<TaskUser>) -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut builder = std::fs::DirBuilder::new();
    // Somebody else must be able to pass through, not to look around.
    builder.mode(if user.is_some() { 0o711 } else { 0o700 });
    builder.recursive(true).create(root)?;
    builder.mode(0o700).recursive(false);
    loop {
        let path = root.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        match builder.create(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                made?;
                if let Some(user) = user {
                    std::os::unix::fs::chown(&path, Some(user.uid), Some(user.gid))?;
                }
                return Ok(path);
            }
        }
    }
}

fn clear(path: &Path) {
    // A program may have locked its own directories, and nested them deeper than anybody likes.
    if let Err(e) = remove_path(path) {
        tracing::warn!(error = %e, path = %path.display(), "cannot remove a work directory");
    }
}
