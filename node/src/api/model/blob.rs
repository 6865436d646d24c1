//! Blobs as people and programs see them.

use crate::blobs::{BlobRow, BlobStats};
use rc_scheduler::{BlobHash, BlobRef};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A blob that is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BlobView {
    /// Its hash.
    pub blob: String,
    /// How long it is.
    pub bytes: u64,
    /// How many tasks on this device name it, in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<usize>,
}

impl From<BlobRef> for BlobView {
    fn from(blob: BlobRef) -> Self {
        Self { blob: blob.hash.to_string(), bytes: blob.bytes, tasks: None }
    }
}

/// The blobs of a device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BlobsView {
    /// Those that are here, in order of hash.
    pub blobs: Vec<BlobView>,
    /// Bytes in use, those of what is under way included.
    pub used: u64,
    /// The limit.
    pub max_bytes: u64,
    /// Blobs that tasks here name and that are not here yet.
    pub missing: usize,
    /// Times that a peer sent something else than the blob asked for.
    pub refused: u64,
}

impl BlobsView {
    /// Of a store.
    #[must_use]
    pub fn new(rows: &[BlobRow], stats: BlobStats) -> Self {
        let view = |row: &BlobRow| BlobView { tasks: Some(row.tasks), ..row.blob.into() };
        Self {
            blobs: rows.iter().map(view).collect(),
            used: stats.usage.used,
            max_bytes: stats.usage.bytes_max,
            missing: stats.missing,
            refused: stats.refused,
        }
    }
}

/// A blob that a task names: its hash, or what the node answered when it was put.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum BlobRequest {
    /// The hash alone.
    Hash(BlobHash),
    /// With the length, which is not needed.
    Whole {
        /// The hash.
        blob: BlobHash,
        /// The length.
        #[serde(default, rename = "bytes")]
        _bytes: u64,
    },
}

impl BlobRequest {
    /// Those that the payload of a command names and `named` does not; a payload that is none has none.
    pub(super) fn of_command(payload: &RawValue, named: &[Self]) -> Vec<Self> {
        #[derive(Deserialize)]
        struct Payload {
            #[serde(default, rename = "in")]
            files: Vec<InFile>,
            #[serde(default)]
            stdin_blob: Option<BlobHash>,
        }
        #[derive(Deserialize)]
        struct InFile {
            blob: BlobHash,
        }
        let Ok(payload) = serde_json::from_str::<Payload>(payload.get()) else { return Vec::new() };
        let mut hashes: Vec<_> = payload.files.into_iter().map(|file| file.blob).chain(payload.stdin_blob).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes.retain(|hash| named.iter().all(|blob| blob.reference().hash != *hash));
        hashes.into_iter().map(Self::Hash).collect()
    }

    /// Its length is looked up when the task is accepted.
    pub(super) const fn reference(&self) -> BlobRef {
        match self {
            Self::Hash(hash) | Self::Whole { blob: hash, .. } => BlobRef { hash: *hash, bytes: 0 },
        }
    }
}
