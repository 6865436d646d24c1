//! What a worker process is to keep when it takes the rest from itself, and what then holds: the same words on every system.

use std::path::PathBuf;

/// What a worker may still reach. Nothing, unless something is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerGrants {
    /// Files and directories to read.
    pub read: Vec<PathBuf>,
    /// Files and directories to read and change.
    pub write: Vec<PathBuf>,
}

/// What holds from now on. What does not was not to be had on this system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restricted {
    /// No file can be opened but those that were granted.
    pub files: bool,
    /// No sockets, programs, processes, signals to others, and nothing of the kernel's workshop.
    pub calls: bool,
}

impl Restricted {
    /// Whether everything holds.
    pub fn is_full(self) -> bool {
        self.files && self.calls
    }
}
