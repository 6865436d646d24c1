//! A blob open for reading, group by group, each checked: a disk that forgets is noticed here, not by whoever reads.

use super::{BlobError, LIST_ENDING, Store};
use crate::blobs::tree::{self, GROUP_BYTES, Tree};
use rc_scheduler::BlobRef;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

/// A blob that is here. Removing it meanwhile does not disturb who reads.
#[derive(Debug)]
pub(in crate::blobs) struct Opened {
    store: Arc<Store>,
    file: File,
    tree: Tree,
    at: u64,
}

impl Opened {
    pub(super) fn open(store: &Arc<Store>, blob: BlobRef) -> Result<Self, BlobError> {
        let path = store.path(&blob.hash);
        let file = File::open(&path)?;
        let list = match fs::read(path.with_extension(LIST_ENDING)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            list => list?,
        };
        match Tree::read(blob, &list) {
            Some(tree) => Ok(Self { store: Arc::clone(store), file, tree, at: 0 }),
            None => Err(damaged(store, blob)),
        }
    }

    /// Which blob.
    pub(in crate::blobs) const fn blob(&self) -> BlobRef {
        self.tree.blob()
    }

    /// The list by which others check the groups.
    pub(in crate::blobs) fn list(&self) -> Vec<u8> {
        self.tree.to_bytes()
    }

    /// How many groups there are.
    pub(in crate::blobs) fn groups(&self) -> u64 {
        self.tree.groups()
    }

    /// Reads a group. Blocks.
    pub(in crate::blobs) fn group(&mut self, group: u64) -> Result<Vec<u8>, BlobError> {
        let blob = self.blob();
        let mut data = vec![0; tree::group_bytes(blob.bytes, group)];
        if self.at != group {
            self.file.seek(SeekFrom::Start(group * GROUP_BYTES as u64))?;
        }
        self.at = group + 1;
        match self.file.read_exact(&mut data) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(damaged(&self.store, blob)),
            read => read?,
        }
        if self.tree.fits(group, &data) { Ok(data) } else { Err(damaged(&self.store, blob)) }
    }
}

/// It is no longer here, and is fetched anew if a record names it.
fn damaged(store: &Store, blob: BlobRef) -> BlobError {
    tracing::error!(blob = %blob.hash, bytes = blob.bytes, "a blob is damaged on this disk and was taken away");
    store.remove(&blob.hash);
    BlobError::Damaged(blob.hash)
}
