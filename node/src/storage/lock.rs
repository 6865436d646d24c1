//! One process per data directory: an advisory lock that dies with its holder.
//!
//! Knows nothing about what is in the directory.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    path::Path,
};

use super::error::OpenError;

/// Held for as long as the value lives. The file stays behind: removing it would race with the next holder.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    pub(super) fn take(dir: &Path) -> Result<Lock, OpenError> {
        let path = dir.join("lock");
        let io = |source| OpenError::Io { what: "lock", path: path.clone(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // The pid is a courtesy to the reader; on some systems a locked file cannot be read.
                let holder = match fs::read_to_string(&path) {
                    Ok(text) if text.trim().parse::<u32>().is_ok() => {
                        format!("process {}", text.trim())
                    }
                    _ => "another process".to_owned(),
                };
                return Err(OpenError::InUse { dir: dir.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        // A full disk must not keep the old data from being served, so the pid may be missing.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Lock { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child between fork and exec has the descriptor, too, and would keep the lock.
        let _ = self.file.unlock();
    }
}
