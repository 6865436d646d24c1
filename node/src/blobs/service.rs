//! The blobs of a node: what the driver, the API and handlers ask for, and what is done without being asked: blobs follow their records
//! to every device that keeps one, and go when the last record that names them goes.

use super::error::BlobError;
use super::network::{Network, Stream};
use super::refs::named_by;
use super::store::{BlobRow, Pinned, Store, StoreLimits, StoreUsage};
use super::{reader::BlobReader, serve};
use rc_scheduler::{BlobHash, BlobRef, DeviceId, Fact, TaskId};
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// Peers that get a blob from here at once; more are told to come again.
const SERVING_MAX: usize = 16;
/// Peers that wait for this device to hold something.
const HOLDING_MAX: usize = 64;
/// Blobs fetched at once.
const FETCHES_MAX: usize = 4;
/// Blobs fetched at once of those that nobody waits for.
const BACKGROUND_MAX: usize = 2;
/// How long a peer that sent something else is not asked for that blob.
const AVOID: Duration = Duration::from_secs(600);
const AVOIDED_MAX: usize = 1024;
/// Between two looks for what is missing, and for what may go.
const PERIOD: Duration = Duration::from_secs(60);
/// Likewise, where what nobody names is not kept for long.
const PERIOD_MIN: Duration = Duration::from_secs(15);
/// Between two attempts to fetch what nobody seems to have.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Bytes read from a source at a time.
const READ_BYTES: usize = 64 * 1024;

/// Counters since the start.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) fetched: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) refused: AtomicU64,
}

/// How it goes, for people and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobStats {
    /// How full the store is.
    pub usage: StoreUsage,
    /// Blobs that records here name and that are not here.
    pub missing: usize,
    /// Blobs fetched from peers.
    pub fetched: u64,
    /// Bytes of groups that were right.
    pub bytes_in: u64,
    /// Times that a peer sent something else.
    pub refused: u64,
}

pub(super) struct Inner {
    pub(super) store: Arc<Store>,
    pub(super) network: Arc<dyn Network>,
    pub(super) serving: Semaphore,
    pub(super) holding: Semaphore,
    pub(super) counters: Counters,
    fetching: Semaphore,
    /// Whoever wants a blob that is being fetched waits here for the one that does it.
    flights: Mutex<HashMap<BlobHash, Arc<tokio::sync::Mutex<()>>>>,
    avoided: Mutex<HashMap<(BlobHash, DeviceId), Instant>>,
    /// When to try again, and the pause after that.
    pauses: Mutex<HashMap<BlobHash, (Instant, Duration)>>,
    background: Arc<Semaphore>,
    /// What is fetched without being asked for.
    trying: Mutex<HashSet<BlobHash>>,
    look: Notify,
}

/// The blobs of a node; a cheap clone.
#[derive(Clone)]
pub struct Blobs(Arc<Inner>);

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Blobs").field(&self.0.store).finish()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Blobs {
    /// Opens the store below `dir` and begins to look after it, within a tokio runtime. Blocks for a moment.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn open(dir: &Path, limits: StoreLimits, network: Arc<dyn Network>) -> io::Result<Self> {
        let blobs = Self(Arc::new(Inner {
            store: Store::open(dir, limits)?,
            network,
            serving: Semaphore::new(SERVING_MAX),
            holding: Semaphore::new(HOLDING_MAX),
            counters: Counters::default(),
            fetching: Semaphore::new(FETCHES_MAX),
            flights: Mutex::default(),
            avoided: Mutex::default(),
            pauses: Mutex::default(),
            background: Arc::new(Semaphore::new(BACKGROUND_MAX)),
            trying: Mutex::default(),
            look: Notify::new(),
        }));
        tokio::spawn(look_after(Arc::downgrade(&blobs.0)));
        Ok(blobs)
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Serves one stream in the background.
    pub fn serve_stream(&self, peer: DeviceId, stream: Box<dyn Stream>) {
        tokio::spawn(serve::serve(self.clone(), peer, stream));
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        tokio::task::spawn_blocking(act).await.map_err(io::Error::other)?
    }

    /// Stores what a source gives, to its end. `bytes` is how much that will be, if it is known; more than `limit` is refused.
    ///
    /// # Errors
    /// See [`BlobError`]; nothing stays behind then.
    pub async fn put(
        &self,
        mut source: impl AsyncRead + Unpin + Send,
        bytes: Option<u64>,
        limit: u64,
    ) -> Result<BlobRef, BlobError> {
        if bytes.is_some_and(|bytes| bytes > limit) {
            return Err(BlobError::TooLong { limit });
        }
        let store = self.0.store.clone();
        let mut writer = self.blocking(move || store.create(bytes)).await?;
        let mut buffer = Vec::with_capacity(READ_BYTES);
        loop {
            buffer.clear();
            while buffer.len() < READ_BYTES && source.read_buf(&mut buffer).await? > 0 {}
            if buffer.is_empty() {
                return self.blocking(move || writer.finish()).await;
            }
            if writer.bytes() + buffer.len() as u64 > limit {
                return Err(BlobError::TooLong { limit });
            }
            (writer, buffer) = self
                .blocking(move || {
                    writer.write(&buffer)?;
                    Ok((writer, buffer))
                })
                .await?;
        }
    }

    /// Keeps blobs that no record names yet, until what is returned is dropped; then they stay for the grace.
    pub(crate) fn pin(&self, blobs: impl IntoIterator<Item = BlobHash>) -> Pinned {
        self.0.store.pin(blobs)
    }

    /// Longest payload or result, bytes: those pass through memory as a whole.
    #[must_use]
    pub fn payload_bytes_max(&self) -> u64 {
        self.0.store.limits().payload_bytes_max
    }

    /// Longest blob, bytes: what the store may hold.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        self.0.store.limits().bytes_max
    }

    /// References found on the disk at a start.
    pub(crate) fn restore(&self, named: Vec<(TaskId, BlobRef)>) {
        for (task, blob) in named {
            self.0.store.refer(task, &[blob]);
        }
        self.0.look.notify_one();
    }

    /// The blob, if all of it is on this disk; it stays for the grace from now on.
    #[must_use]
    pub fn here(&self, hash: &BlobHash) -> Option<BlobRef> {
        self.0.store.touch(hash)
    }

    /// Opens a blob for reading; fetches it first if it is not here.
    ///
    /// # Errors
    /// See [`BlobError`].
    pub async fn open_blob(&self, hash: BlobHash, bytes: Option<u64>) -> Result<BlobReader, BlobError> {
        self.ensure(hash, bytes).await?;
        let store = self.0.store.clone();
        Ok(BlobReader::new(self.blocking(move || store.read(&hash)).await?))
    }

    /// All of a blob that is at most `limit` bytes long.
    ///
    /// # Errors
    /// See [`BlobError`].
    pub async fn load(&self, blob: BlobRef, limit: u64) -> Result<Vec<u8>, BlobError> {
        if blob.bytes > limit {
            return Err(BlobError::TooLong { limit });
        }
        let mut reader = self.open_blob(blob.hash, Some(blob.bytes)).await?;
        let mut all = Vec::new();
        while let Some(part) = reader.next().await? {
            all.extend_from_slice(&part);
        }
        Ok(all)
    }

    /// The file of a blob, read through once so that what the caller finds in it is the blob; fetched first if it is not here. It stays
    /// as long as a task names it, or for the grace.
    ///
    /// # Errors
    /// See [`BlobError`].
    pub async fn file(&self, hash: BlobHash) -> Result<PathBuf, BlobError> {
        let mut reader = self.open_blob(hash, None).await?;
        while reader.next().await?.is_some() {}
        self.0.store.file(&hash).ok_or(BlobError::Damaged(hash))
    }

    /// Makes sure that a blob is here.
    ///
    /// # Errors
    /// See [`BlobError`].
    pub async fn ensure(&self, hash: BlobHash, bytes: Option<u64>) -> Result<BlobRef, BlobError> {
        if let Some(blob) = self.here(&hash) {
            return Ok(blob);
        }
        let blob = match bytes {
            Some(bytes) => BlobRef { hash, bytes },
            None => self.length_of(hash).await?,
        };
        self.fetch_from(blob, &[]).await?;
        Ok(blob)
    }

    /// Fetches a blob, from `first` before all others; nothing is done if it is here. Who asks for what is being fetched waits for that.
    pub(super) async fn fetch_from(&self, blob: BlobRef, first: &[DeviceId]) -> Result<(), BlobError> {
        if self.here(&blob.hash).is_some() {
            return Ok(());
        }
        let flight = locked(&self.0.flights).entry(blob.hash).or_default().clone();
        let result = {
            let _alone = flight.lock().await;
            if self.here(&blob.hash).is_some() {
                Ok(())
            } else {
                // The semaphore is never closed.
                let _turn = self.0.fetching.acquire().await;
                let mut peers = first.to_vec();
                peers.extend(self.0.network.linked().into_iter().filter(|peer| !first.contains(peer)));
                self.fetch_now(blob, &peers).await
            }
        };
        let mut flights = locked(&self.0.flights);
        // This one and the table's: nobody else waits.
        if flights.get(&blob.hash).is_some_and(|other| Arc::strong_count(other) <= 2) {
            flights.remove(&blob.hash);
        }
        result
    }

    pub(super) fn avoids(&self, hash: BlobHash, peer: DeviceId) -> bool {
        locked(&self.0.avoided).get(&(hash, peer)).is_some_and(|until| *until > Instant::now())
    }

    pub(super) fn avoid(&self, hash: BlobHash, peer: DeviceId) {
        let now = Instant::now();
        let mut avoided = locked(&self.0.avoided);
        avoided.retain(|_, until| *until > now);
        if avoided.len() < AVOIDED_MAX {
            avoided.insert((hash, peer), now + AVOID);
        }
    }

    /// A fact is on its way to this disk: the blobs that it names are kept with it, and fetched if they are not here.
    pub(crate) fn refer(&self, task: TaskId, fact: &Fact) {
        let named = named_by(fact);
        if !named.is_empty() && self.0.store.refer(task, &named) {
            self.0.look.notify_one();
        }
    }

    /// A record is being taken from this disk.
    pub(crate) fn forget(&self, task: TaskId) {
        self.0.store.forget(task);
    }

    /// Another device is there, which may have what is missing.
    pub(crate) fn peer_up(&self) {
        locked(&self.0.pauses).clear();
        self.0.look.notify_one();
    }

    /// What is here, at most `limit` of it.
    #[must_use]
    pub fn list(&self, limit: usize) -> Vec<BlobRow> {
        self.0.store.rows(limit)
    }

    /// How it goes.
    #[must_use]
    pub fn stats(&self) -> BlobStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.0.counters;
        BlobStats {
            usage: self.0.store.usage(),
            missing: self.0.store.missing().len(),
            fetched: read(&counters.fetched),
            bytes_in: read(&counters.bytes_in),
            refused: read(&counters.refused),
        }
    }

    /// What is missing and may be tried now.
    fn due(&self) -> Vec<BlobRef> {
        let now = Instant::now();
        let missing = self.0.store.missing();
        let mut pauses = locked(&self.0.pauses);
        pauses.retain(|hash, _| missing.iter().any(|blob| blob.hash == *hash));
        missing.into_iter().filter(|blob| pauses.get(&blob.hash).is_none_or(|(at, _)| *at <= now)).collect()
    }

    /// Begins to fetch what is missing, as far as there are turns; each one that ends looks again.
    fn fetch_missing(&self) {
        for blob in self.due() {
            if locked(&self.0.trying).contains(&blob.hash) {
                continue;
            }
            let Ok(turn) = Arc::clone(&self.0.background).try_acquire_owned() else { return };
            locked(&self.0.trying).insert(blob.hash);
            let blobs = self.clone();
            tokio::spawn(async move {
                let fetched = blobs.fetch_from(blob, &[]).await;
                let mut pauses = locked(&blobs.0.pauses);
                match fetched {
                    Ok(()) => drop(pauses.remove(&blob.hash)),
                    Err(error) => {
                        tracing::debug!(blob = %blob.hash, %error, "a blob that a record names is still missing");
                        let again = |(_, pause): &(Instant, Duration)| (*pause * 2).min(PAUSE_MAX);
                        let pause = pauses.get(&blob.hash).map_or(PAUSE_FIRST, again);
                        pauses.insert(blob.hash, (Instant::now() + pause, pause));
                    }
                }
                drop(pauses);
                locked(&blobs.0.trying).remove(&blob.hash);
                drop(turn);
                blobs.0.look.notify_one();
            });
        }
    }

    #[cfg(test)]
    pub(super) fn next_pause(&self, hash: &BlobHash) -> Option<Duration> {
        locked(&self.0.pauses).get(hash).map(|(_, pause)| *pause)
    }

    fn next_try(&self) -> Option<Instant> {
        locked(&self.0.pauses).values().map(|(at, _)| *at).min()
    }
}

/// Fetches what is missing and collects what nobody needs, until the node is gone.
async fn look_after(inner: Weak<Inner>) {
    let mut collected = Instant::now();
    loop {
        let Some(strong) = inner.upgrade() else { return };
        let blobs = Blobs(strong);
        blobs.fetch_missing();
        let period = blobs.0.store.grace().clamp(PERIOD_MIN, PERIOD);
        if collected.elapsed() >= period {
            collected = Instant::now();
            let store = blobs.0.store.clone();
            if let Ok(1..) = blobs.blocking(move || Ok(store.collect())).await {
                tracing::info!(usage = ?blobs.0.store.usage(), "blobs that nobody names are gone");
            }
        }
        let next = blobs.next_try().map_or(period, |at| at.saturating_duration_since(Instant::now()).min(period));
        // A bell that rings meanwhile is heard at once; one that keeps nobody alive is looked for now and then.
        let _ = tokio::time::timeout(next, blobs.0.look.notified()).await;
    }
}
