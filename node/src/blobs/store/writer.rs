//! A new blob: bytes come, the hash is known at the end. What is not finished leaves nothing behind.

use super::{BlobError, Reserved, Store, put_in_place, weight};
use crate::blobs::tree::{Builder, GROUP_BYTES};
use rc_scheduler::BlobRef;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Reserved at a time when the length is not known.
const STEP_BYTES: u64 = 1 << 20;

/// A blob that is being written.
#[derive(Debug)]
pub(in crate::blobs) struct BlobWriter {
    store: Arc<Store>,
    file: File,
    path: PathBuf,
    builder: Builder,
    group: Vec<u8>,
    reserved: Vec<Reserved>,
    room: u64,
    placed: bool,
}

impl BlobWriter {
    pub(super) fn new(store: &Arc<Store>, bytes: Option<u64>) -> Result<Self, BlobError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let room = bytes.unwrap_or(0);
        let reserved = store.reserve(room)?;
        let path = store.dir.join("new").join(NUMBER.fetch_add(1, Ordering::Relaxed).to_string());
        let file = File::create(&path)?;
        Ok(Self {
            store: Arc::clone(store),
            file,
            path,
            builder: Builder::default(),
            group: Vec::new(),
            reserved: vec![reserved],
            room,
            placed: false,
        })
    }

    /// Adds bytes. Blocks.
    pub(in crate::blobs) fn write(&mut self, mut data: &[u8]) -> Result<(), BlobError> {
        while !data.is_empty() {
            let take = data.len().min(GROUP_BYTES - self.group.len());
            self.group.extend_from_slice(&data[..take]);
            data = &data[take..];
            if self.group.len() == GROUP_BYTES {
                self.flush_group()?;
            }
        }
        Ok(())
    }

    /// Bytes so far.
    pub(in crate::blobs) fn bytes(&self) -> u64 {
        self.builder.bytes() + self.group.len() as u64
    }

    fn flush_group(&mut self) -> Result<(), BlobError> {
        let bytes = self.builder.bytes() + self.group.len() as u64;
        if bytes > self.room {
            self.reserved.push(self.store.reserve(STEP_BYTES)?);
            self.room += STEP_BYTES;
        }
        self.file.write_all(&self.group)?;
        self.builder.push(&self.group);
        self.group.clear();
        Ok(())
    }

    /// Makes it safe and puts it into its place. Blocks.
    pub(in crate::blobs) fn finish(mut self) -> Result<BlobRef, BlobError> {
        if !self.group.is_empty() || self.builder.bytes() == 0 {
            self.flush_group()?;
        }
        let tree = std::mem::take(&mut self.builder).finish();
        let blob = tree.blob();
        if self.store.touch(&blob.hash).is_some() {
            return Ok(blob);
        }
        self.file.sync_all()?;
        put_in_place(&self.store, &tree, &self.path)?;
        self.placed = true;
        // What was reserved in steps becomes one reservation of what it takes.
        let mut all = self.reserved.swap_remove(0);
        for mut more in self.reserved.drain(..) {
            all.bytes += std::mem::take(&mut more.bytes);
        }
        if let Some(short) = weight(blob.bytes).checked_sub(all.bytes) {
            self.store.index().used += short;
            all.bytes += short;
        }
        self.store.arrived(blob, all);
        Ok(blob)
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if !self.placed {
            // The next start sweeps what cannot be removed now.
            let _ = fs::remove_file(&self.path);
        }
    }
}
