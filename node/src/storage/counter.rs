//! A number that can be raised on a full disk: a file that has its size from the beginning, two slots in it, rewritten in turn.
//!
//! Knows nothing of the log beside it, nor of what is counted. Little-endian:
//!
//! ```text
//! file = slot slot                      each in a block of its own (512 bytes), so that a torn write hurts one of them
//! slot = magic[8] version:u16 0:u16 value:u32 0[12] crc:u32                                      32 bytes, then zeros
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::{
    error::{CommitError, OpenError, is_full},
    segment::{read_at, sync_dir, write_at},
};

/// The format this code writes. A later one keeps the first 32 bytes of a slot, so that this code can name it and refuse.
pub(super) const VERSION: u16 = 1;
const MAGIC: &[u8; 8] = b"RCCOUNT\n";
const SLOT_LEN: usize = 32;
const BLOCK_LEN: usize = 512;

/// The file, open.
#[derive(Debug)]
pub struct Counter {
    path: PathBuf,
    file: File,
    slots: [Option<u32>; 2],
}

fn encode(value: u32) -> [u8; SLOT_LEN] {
    let mut slot = [0; SLOT_LEN];
    slot[..8].copy_from_slice(MAGIC);
    slot[8..10].copy_from_slice(&VERSION.to_le_bytes());
    slot[12..16].copy_from_slice(&value.to_le_bytes());
    let sum = crc32fast::hash(&slot[..28]);
    slot[28..].copy_from_slice(&sum.to_le_bytes());
    slot
}

/// Version and value; `None` if the slot is damaged.
fn decode(slot: &[u8; SLOT_LEN]) -> Option<(u16, u32)> {
    let word = |at: usize| u32::from_le_bytes([slot[at], slot[at + 1], slot[at + 2], slot[at + 3]]);
    let intact = slot[..8] == *MAGIC && crc32fast::hash(&slot[..28]) == word(28);
    intact.then(|| (u16::from_le_bytes([slot[8], slot[9]]), word(12)))
}

impl Counter {
    /// Opens the counter in the directory of a store whose lock the caller holds, or creates it at 0.
    ///
    /// # Errors
    /// The file system refuses, or the counter is of a later version. The file is as it was before.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join("counter");
        let error = |what| {
            let path = path.clone();
            move |source| OpenError::Io { what, path, source }
        };
        if !path.try_exists().map_err(error("open"))? {
            create(dir, &path).map_err(error("create"))?;
        }
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(error("open"))?;
        let mut slots = [None; 2];
        for (at, slot) in slots.iter_mut().enumerate() {
            let mut bytes = [0; SLOT_LEN];
            read_at(&file, &mut bytes, (at * BLOCK_LEN) as u64).map_err(error("read"))?;
            match decode(&bytes) {
                Some((VERSION, value)) => *slot = Some(value),
                Some((found, _)) => return Err(OpenError::Version { path, found, supported: VERSION }),
                None => {}
            }
        }
        Ok(Self { path, file, slots })
    }

    /// The number, if any slot can be read; it may be an old one unless [`is_certain`](Self::is_certain).
    #[must_use]
    pub fn value(&self) -> Option<u32> {
        self.slots.into_iter().flatten().max()
    }

    /// Both slots are intact, so that no newer number is lost.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.slots.iter().all(Option::is_some)
    }

    /// Sets the number, durably. It must be higher than all before.
    ///
    /// # Errors
    /// [`CommitError`]; the number may be either, then.
    pub fn raise(&mut self, value: u32) -> Result<(), CommitError> {
        // Never the slot with the highest number: a torn write must not take it away.
        let at = usize::from(self.slots[0] > self.slots[1]);
        let written =
            write_at(&self.file, &encode(value), (at * BLOCK_LEN) as u64).and_then(|()| self.file.sync_data());
        written.map_err(|error| {
            if is_full(&error) {
                CommitError::Full
            } else {
                CommitError::Failed(format!("{}: {error}", self.path.display()))
            }
        })?;
        self.slots[at] = Some(value);
        Ok(())
    }
}

/// It has its final name only once all of it is on disk.
fn create(dir: &Path, path: &Path) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut bytes = [0; 2 * BLOCK_LEN];
    for block in bytes.chunks_exact_mut(BLOCK_LEN) {
        block[..SLOT_LEN].copy_from_slice(&encode(0));
    }
    let created = File::create(&temporary)
        .and_then(|file| write_at(&file, &bytes, 0).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if created.is_err() {
        // It may not even have been created.
        let _ = fs::remove_file(&temporary);
    }
    created?;
    sync_dir(dir)
}
