//! Segment files: names, the one that is appended to, and positioned reads of any of them.
//!
//! Knows headers and bytes, not frames and not what is live. The active segment is preallocated in steps with zeros that
//! count into its length, so that a commit changes no metadata: on ext4 that turns a p99 of 5 ms into 0.25 ms, and a file
//! system without space says so before anything is written.

use std::{
    fs::{self, File, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::{Path, PathBuf},
};

use super::frame::{HEADER_LEN, encode_header};

/// Preallocation step in bytes.
const ALLOCATE_BYTES: u64 = 1 << 20;
/// Kept free in the active segment for removals and compaction when the disk is full.
pub(super) const RESERVE_BYTES: u64 = 256 << 10;
/// Sealed segments kept open for reading.
const OPEN_FILES_MAX: usize = 16;

pub(super) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:010}.log"))
}

/// The number in a file name like `0000000007.log`.
pub(super) fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 10).then(|| digits.parse().ok()).flatten()
}

/// Makes a created, renamed or removed name durable. Only Unix has directories that can be synced.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// The segment that commits go to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) number: u32,
    pub(super) salt: u32,
    /// Where the next frame goes.
    pub(super) end: u64,
    /// Length of the file: zeros from `end` on.
    allocated: u64,
    file: File,
    /// What the next sync fails with.
    #[cfg(test)]
    pub(super) fault: Option<io::ErrorKind>,
}

impl Active {
    /// Creates a segment. It has its final name only once its header is on disk, so no crash leaves half of one.
    pub(super) fn create(dir: &Path, number: u32) -> io::Result<Active> {
        let salt = RandomState::new().build_hasher().finish() as u32;
        let temporary = dir.join("new");
        let created = Active::create_as(&temporary, number, salt)
            .and_then(|active| fs::rename(&temporary, path(dir, number)).map(|()| active));
        if created.is_err() {
            // On a full disk the half of a segment would take the space that others need.
            let _ = fs::remove_file(&temporary);
        }
        let active = created?;
        sync_dir(dir)?;
        Ok(active)
    }

    fn create_as(path: &Path, number: u32, salt: u32) -> io::Result<Active> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        let mut active = Active {
            number,
            salt,
            end: HEADER_LEN as u64,
            allocated: 0,
            file,
            #[cfg(test)]
            fault: None,
        };
        active.allocate(HEADER_LEN as u64 + RESERVE_BYTES)?;
        write_at(&active.file, &encode_header(number, salt), 0)?;
        active.allocated = active.allocated.max(HEADER_LEN as u64);
        active.file.sync_all()?;
        Ok(active)
    }

    /// Continues a segment after its last whole commit. `cut` bytes behind `end` are overwritten; behind them there are only
    /// preallocated zeros. All of it stays part of the file: on a full disk it is the reserve.
    pub(super) fn resume(dir: &Path, number: u32, salt: u32, end: u64, cut: u64) -> io::Result<Active> {
        let file = OpenOptions::new().read(true).write(true).open(path(dir, number))?;
        if cut > 0 {
            let to = (end + cut).min(file.metadata()?.len());
            // Where overwriting takes space that is not there, as in a file system that copies on write, the reserve goes.
            clear(&file, end, to).or_else(|_| file.set_len(end))?;
        }
        file.sync_all()?;
        let allocated = file.metadata()?.len();
        Ok(Active {
            number,
            salt,
            end,
            allocated,
            file,
            #[cfg(test)]
            fault: None,
        })
    }

    /// Makes sure that the file reaches to `to`. Without support in the file system this does nothing.
    pub(super) fn allocate(&mut self, to: u64) -> io::Result<()> {
        if to <= self.allocated {
            return Ok(());
        }
        let step = to.next_multiple_of(ALLOCATE_BYTES);
        // A nearly full disk may have room for what is needed, though not for a whole step.
        if preallocate(&self.file, self.allocated, step)? {
            self.allocated = step;
        } else if preallocate(&self.file, self.allocated, to)? {
            self.allocated = to;
        }
        Ok(())
    }

    /// Appends and waits for the disk. On an error the caller must [`roll_back`](Self::roll_back).
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_at(&self.file, bytes, self.end)?;
        #[cfg(test)]
        if let Some(fault) = self.fault.take() {
            return Err(fault.into());
        }
        self.file.sync_data()?;
        self.end += bytes.len() as u64;
        self.allocated = self.allocated.max(self.end);
        Ok(())
    }

    /// Removes what a failed append may have left.
    pub(super) fn roll_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.sync_all()?;
        self.allocated = self.end;
        Ok(())
    }

    /// Gives back the preallocated rest; nothing is appended any more.
    pub(super) fn seal(self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.sync_all()
    }
}

/// Overwrites a part of a file with zeros.
fn clear(file: &File, from: u64, to: u64) -> io::Result<()> {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut at = from;
    while at < to {
        let step = (to - at).min(ZEROS.len() as u64);
        write_at(file, &ZEROS[..step as usize], at)?;
        at += step;
    }
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn preallocate(file: &File, from: u64, to: u64) -> io::Result<bool> {
    use rustix::{fs::FallocateFlags, io::Errno};
    loop {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), from, to - from) {
            Ok(()) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::IO)) => {
                return Err(error.into());
            }
            // File systems and sandboxes say in many ways that they cannot; appending works without it.
            Err(_) => return Ok(false),
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn preallocate(_file: &File, _from: u64, _to: u64) -> io::Result<bool> {
    Ok(false)
}

#[cfg(unix)]
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
pub(super) fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

#[cfg(windows)]
fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// Fills as much of `buffer` as the file has from `offset` on.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read_some(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads of any segment, with a few files kept open.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    /// Most recently used last.
    open: Vec<(u32, File)>,
}

impl Files {
    pub(super) fn new(dir: &Path) -> Files {
        Files { dir: dir.to_owned(), open: Vec::new() }
    }

    pub(super) fn read(&mut self, number: u32, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self.open.iter().position(|(open, _)| *open == number) {
            Some(at) => self.open[at..].rotate_left(1),
            None => {
                if self.open.len() == OPEN_FILES_MAX {
                    self.open.remove(0);
                }
                self.open.push((number, File::open(path(&self.dir, number))?));
            }
        }
        match self.open.last() {
            Some((_, file)) => read_at(file, buffer, offset),
            None => Ok(0),
        }
    }

    pub(super) fn close(&mut self, number: u32) {
        self.open.retain(|(open, _)| *open != number);
    }
}
