//! Who this device is and which cluster it belongs to: two small files in the data directory, both secret.
//!
//! Knows nothing of tasks. [`join`] looks into the log for one thing only: whether others are members already.

mod private;

pub(crate) use private::{make_dir, read as read_private, write as write_private};

use crate::storage::{self, Batch, CommitError, OpenError, Storage};
use rc_p2p::{Keypair, PeerId, Secret, Ticket};
use rc_scheduler::DeviceId;
use std::io;
use std::path::{Path, PathBuf};

/// The device's key pair, in libp2p's protobuf form.
pub const IDENTITY_FILE: &str = "identity";
/// The cluster's secret, 32 bytes.
pub const CLUSTER_FILE: &str = "cluster";
/// The log of facts.
pub const LOG_DIR: &str = "log";

/// Cell: where to look for members of a cluster that was joined and in which nobody was met yet. One address per line.
pub(crate) const SEEDS_CELL: &str = "seeds";
/// Beginning of the names of cells with members.
pub(crate) const MEMBER_CELL: &str = "member/";

/// Identity and secret files are far shorter.
const FILE_BYTES_MAX: u64 = 4096;

/// A file that says who this device is cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file system refused.
    #[error("cannot {what} {}: {source}", .path.display())]
    Io {
        /// A verb.
        what: &'static str,
        /// Of what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what this program writes.
    #[error("{} is damaged: {why}", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The device was not joined to the ticket's cluster. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// It belongs to another cluster, in which it has met others.
    #[error("this device is a member of another cluster, with {members} known members")]
    AlreadyMember {
        /// Members that it knows, itself included.
        members: usize,
    },
    /// A node runs with this directory.
    #[error("{} is in use by {holder}", .data_dir.display())]
    InUse {
        /// The data directory.
        data_dir: PathBuf,
        /// `process 1234`, or `another process`.
        holder: String,
    },
    /// See [`IdentityError`].
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The log cannot be opened.
    #[error(transparent)]
    Open(OpenError),
    /// The disk does not take the ticket's addresses.
    #[error(transparent)]
    Disk(#[from] CommitError),
}

/// The id that tasks and people know a peer by: the head of the hash of its public identity.
#[must_use]
pub fn device_id(peer: &PeerId) -> DeviceId {
    let hash = blake3::hash(&peer.to_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.as_bytes()[..16]);
    DeviceId(id)
}

/// The device's key pair; makes one if there is none.
///
/// # Errors
/// See [`IdentityError`].
pub fn load_or_create(data_dir: &Path) -> Result<Keypair, IdentityError> {
    let path = data_dir.join(IDENTITY_FILE);
    let damaged =
        |why: rc_p2p::identity::IdentityError| IdentityError::Damaged { path: path.clone(), why: why.to_string() };
    if let Some(bytes) = read(&path)? {
        return rc_p2p::identity::decode(&bytes).map_err(damaged);
    }
    let keypair = rc_p2p::identity::generate();
    write(&path, &rc_p2p::identity::encode(&keypair).map_err(damaged)?)?;
    Ok(keypair)
}

/// The cluster's secret; a device without one becomes a new cluster of its own.
///
/// # Errors
/// See [`IdentityError`].
pub fn load_or_create_cluster(data_dir: &Path) -> Result<Secret, IdentityError> {
    let path = data_dir.join(CLUSTER_FILE);
    if let Some(secret) = cluster(data_dir)? {
        return Ok(secret);
    }
    let secret = Secret::generate().map_err(|source| IdentityError::Io { what: "make", path: path.clone(), source })?;
    write(&path, secret.as_bytes())?;
    Ok(secret)
}

/// The cluster's secret, if the device has one.
///
/// # Errors
/// See [`IdentityError`].
pub fn cluster(data_dir: &Path) -> Result<Option<Secret>, IdentityError> {
    let path = data_dir.join(CLUSTER_FILE);
    let Some(bytes) = read(&path)? else { return Ok(None) };
    let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| IdentityError::Damaged {
        path,
        why: format!("it has {} bytes, a cluster's secret has 32", bytes.len()),
    })?;
    Ok(Some(Secret::from(bytes)))
}

/// Makes the device of this directory a member of the ticket's cluster, from its next start on. A cluster in which it never met
/// anybody is left without loss; joining the same cluster again only renews the addresses.
///
/// # Errors
/// See [`JoinError`].
pub fn join(data_dir: &Path, ticket: &Ticket) -> Result<(), JoinError> {
    let io = |source| IdentityError::Io { what: "create", path: data_dir.to_owned(), source };
    make_dir(data_dir).map_err(io)?;
    let (mut log, _) =
        Storage::open(&data_dir.join(LOG_DIR), storage::Options::default()).map_err(|error| match error {
            OpenError::InUse { holder, .. } => JoinError::InUse { data_dir: data_dir.to_owned(), holder },
            error => JoinError::Open(error),
        })?;
    let current = cluster(data_dir)?;
    let is_new = current.as_ref() != Some(ticket.secret());
    let members = log.cells().filter(|(name, _)| name.starts_with(MEMBER_CELL)).count();
    if current.is_some() && is_new && members > 1 {
        return Err(JoinError::AlreadyMember { members });
    }
    let seeds: Vec<_> = ticket.addresses().iter().map(ToString::to_string).collect();
    let mut batch = Batch::new();
    // A ticket has few addresses of bounded length, so that this fits; without them mDNS still finds the cluster.
    if batch.put_cell(SEEDS_CELL, seeds.join("\n").as_bytes()).is_ok() {
        log.commit(&batch)?;
    }
    if is_new {
        write(&data_dir.join(CLUSTER_FILE), ticket.secret().as_bytes())?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, IdentityError> {
    private::read(path, FILE_BYTES_MAX).map_err(|source| IdentityError::Io {
        what: "read",
        path: path.to_owned(),
        source,
    })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), IdentityError> {
    private::write(path, bytes).map_err(|source| IdentityError::Io { what: "write", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
