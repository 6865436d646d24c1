//! A private directory for one task, removed afterwards.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::{ErrorClass, TaskError};

/// A directory that only this user can enter. Dropping it removes it, too, for a task that is left behind.
#[derive(Debug)]
pub(super) struct WorkDir {
    path: Option<PathBuf>,
}

impl WorkDir {
    /// Creates a new directory below `root`.
    pub(super) async fn create(root: &Path) -> Result<Self, TaskError> {
        let root = root.to_owned();
        let made = tokio::task::spawn_blocking(move || make(&root)).await.map_err(io::Error::other);
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
fn make(root: &Path) -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700);
    builder.recursive(true).create(root)?;
    builder.recursive(false);
    loop {
        let path = root.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        match builder.create(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path),
        }
    }
}

fn clear(path: &Path) {
    if let Err(e) = std::fs::remove_dir_all(path) {
        tracing::warn!(error = %e, path = %path.display(), "cannot remove a work directory");
    }
}
