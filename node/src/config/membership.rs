//! Which cluster a data directory belongs to: a small file beside the identity. Knows the ticket as a text only.
//!
//! The daemon makes it when it starts without one, and sets `met` when it first hears another member; `join` replaces it while no
//! daemon runs. A cluster in which nobody was ever met can be left without loss.

use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file in the data directory; its mode is 0600, for the ticket is the cluster's key.
pub const MEMBERSHIP_FILE: &str = "cluster.json";

const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The cluster of a data directory.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// The ticket: the cluster's secret, and where to begin.
    pub ticket: String,
    /// Another device was a member together with this one.
    #[serde(default)]
    pub met: bool,
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut show = f.debug_struct("Membership");
        show.field("met", &self.met).finish_non_exhaustive()
    }
}

/// The file is unusable. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what this program writes.
    #[error("{path}: {message}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

/// The membership of a data directory; `None` if it has none yet.
///
/// # Errors
/// See [`MembershipError`].
pub fn load(data_dir: &Path) -> Result<Option<Membership>, MembershipError> {
    let path = data_dir.join(MEMBERSHIP_FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(MembershipError::Io { path, source }),
    };
    let mut bytes = Vec::new();
    if let Err(source) = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes) {
        return Err(MembershipError::Io { path, source });
    }
    match serde_json::from_slice(&bytes) {
        Ok(membership) => Ok(Some(membership)),
        Err(error) => Err(MembershipError::Malformed { path, message: error.to_string() }),
    }
}

/// Writes the membership: whole, on disk, readable by its owner only.
///
/// # Errors
/// See [`MembershipError`]; the old file is still there then.
pub fn store(data_dir: &Path, membership: &Membership) -> Result<(), MembershipError> {
    let path = data_dir.join(MEMBERSHIP_FILE);
    let write = || -> io::Result<()> {
        super::paths::make_private_dir(data_dir)?;
        let draft = path.with_extension("new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&draft)?;
        file.write_all(&serde_json::to_vec(membership)?)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(data_dir)?.sync_all()
    };
    write().map_err(|source| MembershipError::Io { path: path.clone(), source })
}
