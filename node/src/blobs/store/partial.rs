//! A blob on its way to this device: groups in order, each checked before it is written. A later life goes on where this one stopped:
//! it trusts nothing but the checked list and hashes anew what lies on the disk.

use super::{BlobError, LIST_ENDING, Reserved, Store, put_in_place};
use crate::blobs::tree::{self, GROUP_BYTES, Tree};
use rc_scheduler::BlobRef;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// A blob that is being fetched.
#[derive(Debug)]
pub(in crate::blobs) struct Partial {
    store: Arc<Store>,
    blob: BlobRef,
    path: PathBuf,
    file: File,
    /// The list, once somebody has sent the right one, or an earlier life had.
    tree: Option<Tree>,
    /// Groups that are on the disk and checked.
    done: u64,
    reserved: Option<Reserved>,
}

impl Partial {
    /// Refuses what there is no room for before anything is written.
    pub(super) fn open(store: &Arc<Store>, blob: BlobRef) -> Result<Self, BlobError> {
        let reserved = store.reserve(blob.bytes)?;
        let path = store.partial_path(&blob.hash);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let list = fs::read(path.with_extension(LIST_ENDING)).unwrap_or_default();
        let mut partial = Self {
            store: Arc::clone(store),
            blob,
            path,
            file,
            tree: Tree::read(blob, &list),
            done: 0,
            reserved: Some(reserved),
        };
        partial.find_done()?;
        Ok(partial)
    }

    /// How far an earlier life has come.
    fn find_done(&mut self) -> Result<(), BlobError> {
        let Some(tree) = &self.tree else { return Ok(()) };
        let mut group = vec![0; GROUP_BYTES];
        while self.done < tree.groups() {
            let part = &mut group[..tree::group_bytes(self.blob.bytes, self.done)];
            if self.file.read_exact(part).is_err() || !tree.fits(self.done, part) {
                break;
            }
            self.done += 1;
        }
        self.file.seek(SeekFrom::Start(self.done * GROUP_BYTES as u64))?;
        Ok(())
    }

    /// The list is known.
    pub(in crate::blobs) const fn has_tree(&self) -> bool {
        self.tree.is_some()
    }

    /// Takes a list that somebody sent; `false` if it is not this blob's.
    pub(in crate::blobs) fn learn(&mut self, list: &[u8]) -> Result<bool, BlobError> {
        let Some(tree) = Tree::read(self.blob, list) else { return Ok(false) };
        if !list.is_empty() {
            fs::write(self.path.with_extension(LIST_ENDING), list)?;
        }
        self.tree = Some(tree);
        self.find_done()?;
        Ok(true)
    }

    /// The first group that is not here.
    pub(in crate::blobs) const fn next(&self) -> u64 {
        self.done
    }

    /// Writes the next group; `false`, and nothing is written, if these are not its bytes. Blocks.
    pub(in crate::blobs) fn write(&mut self, data: &[u8]) -> Result<bool, BlobError> {
        if !self.tree.as_ref().is_some_and(|tree| tree.fits(self.done, data)) {
            return Ok(false);
        }
        self.file.write_all(data)?;
        self.done += 1;
        Ok(true)
    }

    /// Every group is here.
    pub(in crate::blobs) fn is_whole(&self) -> bool {
        self.tree.as_ref().is_some_and(|tree| self.done == tree.groups())
    }

    /// Makes it safe and puts it into its place. Blocks.
    pub(in crate::blobs) fn finish(mut self) -> Result<(), BlobError> {
        let Some(tree) = self.tree.take() else { return Ok(()) };
        self.file.set_len(self.blob.bytes)?;
        self.file.sync_all()?;
        put_in_place(&self.store, &tree, &self.path)?;
        // Nobody needs it any more; the next collection finds it otherwise.
        let _ = fs::remove_file(self.path.with_extension(LIST_ENDING));
        if let Some(reserved) = self.reserved.take() {
            self.store.arrived(self.blob, reserved);
        }
        Ok(())
    }
}
