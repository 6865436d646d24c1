//! The blobs on this disk: what is here, how much room there is, and what may go.
//!
//! A blob is a file named by its hash, beside it the list by which its groups are checked; both are written elsewhere, made safe and then
//! renamed into place, so that what is in place is whole. What is under way to this device lies in `partial/`, is checked anew when it is
//! gone on with, and counts towards the limit. Knows nothing of peers.

mod opened;
mod partial;
mod writer;

pub(super) use opened::Opened;
pub(super) use partial::Partial;
pub(super) use writer::BlobWriter;

use super::error::BlobError;
use super::refs::Refs;
use super::tree;
use rc_scheduler::{BlobHash, BlobRef, TaskId};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What stays free on the disk whatever is asked: tasks and their results come first.
pub(super) const SPARE_BYTES: u64 = 256 << 20;
/// What a blob counts at least, however short it is: files cost, too.
const BLOB_BYTES_MIN: u64 = 4096;
/// A blob that nobody names any more stays this long: the record's own end has to reach the disk first.
const AFTERLIFE: Duration = Duration::from_secs(60);
/// Unnamed blobs of this age make room when there is none.
const YOUNG: Duration = Duration::from_secs(600);
const LIST_ENDING: &str = "tree";

/// How a store is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// All blobs together, those under way included, bytes.
    pub bytes_max: u64,
    /// How long a blob stays that no task names.
    pub grace: Duration,
    /// Longest payload or result that passes through memory as a whole, bytes.
    pub payload_bytes_max: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self { bytes_max: 10 << 30, grace: Duration::from_secs(86_400), payload_bytes_max: 64 << 20 }
    }
}

/// A blob that is here.
#[derive(Debug)]
struct Kept {
    bytes: u64,
    /// When it was last put here, asked for or let go of.
    touched: Instant,
    /// Stays at least until then, even if nobody names it.
    until: Instant,
}

#[derive(Debug, Default)]
struct Index {
    blobs: BTreeMap<BlobHash, Kept>,
    /// Bytes of blobs and of what is reserved.
    used: u64,
    refs: Refs,
    /// What somebody works with at this moment, and how many do.
    pins: BTreeMap<BlobHash, usize>,
}

impl Index {
    /// Nobody would miss it.
    fn is_idle(&self, hash: &BlobHash) -> bool {
        self.refs.count(hash) == 0 && !self.pins.contains_key(hash)
    }
}

/// Keeps blobs while they are not named yet; then they stay for the grace.
#[derive(Debug)]
pub(crate) struct Pinned {
    store: Arc<Store>,
    blobs: Vec<BlobHash>,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        for hash in &self.blobs {
            self.store.touch(hash);
            let mut index = self.store.index();
            if let Some(count) = index.pins.get_mut(hash) {
                *count -= 1;
                if *count == 0 {
                    index.pins.remove(hash);
                }
            }
        }
    }
}

/// A row for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobRow {
    /// Which, and how long.
    pub blob: BlobRef,
    /// How many tasks on this device name it.
    pub tasks: usize,
}

/// How full a store is.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreUsage {
    /// Blobs that are here.
    pub blobs: usize,
    /// Their bytes, and those reserved for what is under way.
    pub used: u64,
    /// The limit.
    pub bytes_max: u64,
}

/// The blobs of one data directory.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
    limits: StoreLimits,
    index: Mutex<Index>,
}

/// Room for bytes that are on their way; gives back what was not used.
#[derive(Debug)]
struct Reserved {
    store: Arc<Store>,
    bytes: u64,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut index = self.store.index();
        index.used = index.used.saturating_sub(self.bytes);
    }
}

fn weight(bytes: u64) -> u64 {
    bytes.max(BLOB_BYTES_MIN).saturating_add(tree::list_bytes(bytes))
}

impl Store {
    /// Opens the store below `dir`, made if it is not there. What an earlier life did not finish writing is thrown away; what it did not
    /// finish fetching is kept.
    pub(super) fn open(dir: &Path, limits: StoreLimits) -> io::Result<Arc<Self>> {
        let store = Self { dir: dir.to_owned(), limits, index: Mutex::default() };
        for part in ["objects", "partial", "new"] {
            fs::create_dir_all(dir.join(part))?;
        }
        for left in fs::read_dir(dir.join("new"))?.flatten() {
            fs::remove_file(left.path())?;
        }
        let mut index = Index::default();
        let now = Instant::now();
        for shard in fs::read_dir(dir.join("objects"))?.flatten() {
            for file in fs::read_dir(shard.path())?.flatten() {
                let path = file.path();
                if path.extension().is_some() && !path.with_extension("").exists() {
                    // The list of a blob that was not put into place any more.
                    fs::remove_file(&path)?;
                }
                let Some(hash) = file.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
                let bytes = file.metadata()?.len();
                index.used += weight(bytes);
                index.blobs.insert(hash, Kept { bytes, touched: now, until: now + limits.grace });
            }
        }
        *store.index() = index;
        Ok(Arc::new(store))
    }

    /// No code that can panic runs under the lock, so a poisoned one is still whole.
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, hash: &BlobHash) -> PathBuf {
        let name = hash.to_string();
        self.dir.join("objects").join(&name[..2]).join(name)
    }

    fn partial_path(&self, hash: &BlobHash) -> PathBuf {
        self.dir.join("partial").join(hash.to_string())
    }

    /// The limits it was opened with.
    pub(super) const fn limits(&self) -> StoreLimits {
        self.limits
    }

    /// The blob, if it is here. It stays for the grace from now on.
    pub(super) fn touch(&self, hash: &BlobHash) -> Option<BlobRef> {
        let mut index = self.index();
        let kept = index.blobs.get_mut(hash)?;
        let now = Instant::now();
        kept.touched = now;
        kept.until = kept.until.max(now + self.limits.grace);
        Some(BlobRef { hash: *hash, bytes: kept.bytes })
    }

    #[cfg(test)]
    fn has(&self, hash: &BlobHash) -> bool {
        self.index().blobs.contains_key(hash)
    }

    /// Keeps blobs, whether they are here or still to come, until what is returned is dropped.
    pub(super) fn pin(self: &Arc<Self>, blobs: impl IntoIterator<Item = BlobHash>) -> Pinned {
        let blobs: Vec<_> = blobs.into_iter().collect();
        let mut index = self.index();
        blobs.iter().for_each(|hash| *index.pins.entry(*hash).or_default() += 1);
        drop(index);
        Pinned { store: Arc::clone(self), blobs }
    }

    /// The file of a blob that is here.
    pub(super) fn file(&self, hash: &BlobHash) -> Option<PathBuf> {
        self.touch(hash).map(|_| self.path(hash))
    }

    /// Begins a new blob whose hash is not known yet. `bytes` is its length, if that is known. Blocks.
    pub(super) fn create(self: &Arc<Self>, bytes: Option<u64>) -> Result<BlobWriter, BlobError> {
        BlobWriter::new(self, bytes)
    }

    /// Begins or goes on with what comes from elsewhere. Blocks.
    pub(super) fn partial(self: &Arc<Self>, blob: BlobRef) -> Result<Partial, BlobError> {
        Partial::open(self, blob)
    }

    /// Opens a blob that is here for reading. Blocks.
    pub(super) fn read(self: &Arc<Self>, hash: &BlobHash) -> Result<Opened, BlobError> {
        let blob = self.touch(hash).ok_or(BlobError::Missing { hash: *hash, asked: 0, why: String::new() })?;
        Opened::open(self, blob)
    }

    fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Reserved, BlobError> {
        let free = free_bytes(&self.dir)?;
        let asked = weight(bytes);
        if asked.saturating_add(SPARE_BYTES) > free {
            return Err(BlobError::NoSpace { free, asked: bytes });
        }
        let (used, limit) = (self.index().used, self.limits.bytes_max);
        if used.saturating_add(asked) > limit && asked <= limit {
            self.make_room(used + asked - limit);
        }
        let mut index = self.index();
        if index.used.saturating_add(asked) > limit {
            return Err(BlobError::Full { used: index.used, limit, asked: bytes });
        }
        index.used += asked;
        drop(index);
        Ok(Reserved { store: Arc::clone(self), bytes: asked })
    }

    /// Takes unnamed blobs away, those first that were not used for the longest time.
    fn make_room(&self, mut bytes: u64) {
        let now = Instant::now();
        let mut idle: Vec<_> = {
            let index = self.index();
            let idle = index.blobs.iter().filter(|(hash, kept)| {
                index.is_idle(hash) && now.duration_since(kept.touched) > YOUNG.min(self.limits.grace)
            });
            idle.map(|(hash, kept)| (kept.touched, *hash, weight(kept.bytes))).collect()
        };
        idle.sort_unstable();
        for (_, hash, weight) in idle {
            if bytes == 0 {
                break;
            }
            self.remove(&hash);
            bytes = bytes.saturating_sub(weight);
        }
    }

    /// A blob is in its place; what was reserved is what it uses.
    fn arrived(&self, blob: BlobRef, mut reserved: Reserved) {
        let now = Instant::now();
        let mut index = self.index();
        let kept = Kept { bytes: blob.bytes, touched: now, until: now + self.limits.grace };
        if index.blobs.insert(blob.hash, kept).is_none() {
            // From here on it is the blob that counts.
            reserved.bytes = reserved.bytes.saturating_sub(weight(blob.bytes));
        }
        // The reservation is given back by its drop, which takes the lock.
        drop(index);
        drop(reserved);
    }

    /// Takes a blob away.
    pub(super) fn remove(&self, hash: &BlobHash) {
        let mut index = self.index();
        let Some(kept) = index.blobs.remove(hash) else { return };
        index.used = index.used.saturating_sub(weight(kept.bytes));
        drop(index);
        let path = self.path(hash);
        for path in [path.with_extension(LIST_ENDING), path] {
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "a blob's file stays behind until the next start");
            }
        }
    }

    /// A record on this disk names these blobs; `true` if one of them is not here.
    pub(super) fn refer(&self, task: TaskId, blobs: &[BlobRef]) -> bool {
        let mut index = self.index();
        let mut missing = false;
        for blob in blobs {
            index.refs.add(task, *blob);
            missing |= !index.blobs.contains_key(&blob.hash);
        }
        missing
    }

    /// A record is gone from this disk, and with it the blobs that no other names.
    pub(super) fn forget(&self, task: TaskId) {
        let mut index = self.index();
        let until = Instant::now() + AFTERLIFE.min(self.limits.grace);
        for hash in index.refs.drop_task(task) {
            if let Some(kept) = index.blobs.get_mut(&hash) {
                kept.until = until;
            }
        }
    }

    /// Blobs that records here name and that are not here.
    pub(super) fn missing(&self) -> Vec<BlobRef> {
        let index = self.index();
        index.refs.named().filter(|blob| !index.blobs.contains_key(&blob.hash)).collect()
    }

    /// Whether a record here names it.
    pub(super) fn is_named(&self, hash: &BlobHash) -> bool {
        self.index().refs.count(hash) > 0
    }

    /// Takes away what nobody names and whose time is over. Blocks. Returns how many blobs went.
    pub(super) fn collect(&self) -> usize {
        let now = Instant::now();
        let over: Vec<_> = {
            let index = self.index();
            let over = index.blobs.iter().filter(|(hash, kept)| kept.until <= now && index.is_idle(hash));
            over.map(|(hash, _)| *hash).collect()
        };
        over.iter().for_each(|hash| self.remove(hash));
        self.collect_partials();
        over.len()
    }

    /// What nobody names and nobody has added to for the grace is not waited for any more.
    fn collect_partials(&self) {
        let Ok(files) = fs::read_dir(self.dir.join("partial")) else { return };
        for file in files.flatten() {
            let path = file.path();
            let hash = path.file_stem().and_then(|name| name.to_str()?.parse::<BlobHash>().ok());
            let named = hash.is_some_and(|hash| self.is_named(&hash));
            // By the file system's clock: both ends of the span are its own.
            let age = file.metadata().and_then(|meta| meta.modified()).ok().and_then(|at| at.elapsed().ok());
            if !named && age.is_some_and(|age| age > self.limits.grace) {
                // Another life may have been quicker; what is left is tried again next time.
                let _ = fs::remove_file(&path);
            }
        }
    }

    /// How long what nobody names is kept.
    pub(super) fn grace(&self) -> Duration {
        self.limits.grace
    }

    /// How full it is.
    pub(super) fn usage(&self) -> StoreUsage {
        let index = self.index();
        StoreUsage { blobs: index.blobs.len(), used: index.used, bytes_max: self.limits.bytes_max }
    }

    /// What is here, in order of hash, at most `limit`.
    pub(super) fn rows(&self, limit: usize) -> Vec<BlobRow> {
        let index = self.index();
        let row = |(hash, kept): (&BlobHash, &Kept)| BlobRow {
            blob: BlobRef { hash: *hash, bytes: kept.bytes },
            tasks: index.refs.count(hash),
        };
        index.blobs.iter().take(limit).map(row).collect()
    }
}

fn free_bytes(dir: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Makes what was renamed into a directory safe.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Puts a finished file and its list into place: first the list, so that a blob is never without.
fn put_in_place(store: &Store, tree: &tree::Tree, from: &Path) -> io::Result<()> {
    let to = store.path(&tree.blob().hash);
    let shard = to.parent().unwrap_or(&store.dir);
    fs::create_dir_all(shard)?;
    let list = tree.to_bytes();
    if !list.is_empty() {
        let name = to.with_extension(LIST_ENDING);
        let mut fresh = from.as_os_str().to_owned();
        fresh.push(".list");
        let fresh = PathBuf::from(fresh);
        fs::write(&fresh, &list)?;
        File::open(&fresh)?.sync_all()?;
        fs::rename(&fresh, &name)?;
    }
    fs::rename(from, &to)?;
    sync_dir(shard)?;
    sync_dir(&store.dir.join("objects"))
}

#[cfg(test)]
mod tests;
