//! What attempts say while they run: output, progress, use of the device. None of it is a fact: it is kept in memory by whoever runs
//! the attempt, copied to those that granted and accepted the task, so that it outlives the device as far as it was received, and
//! told to whoever follows, wherever that is.
//!
//! [`journal`] keeps what one attempt wrote, [`book`] all of them within bounds, [`wire`] is what devices say to each other, [`serve`]
//! answers, [`copy`] sends copies, [`follow`] finds out where to listen. Nothing here wakes up while nothing is written.

mod book;
mod copy;
mod follow;
mod journal;
mod kept;
mod serve;
mod wire;

#[cfg(test)]
mod tests;

pub use book::LiveState;
pub use follow::LogEvent;
pub(crate) use wire::hear;

use crate::blobs::{Network, Stream as NetworkStream};
use crate::driver::WeakHandle;
use crate::handlers::{ResourceUsage, Stream, TaskSink};
use book::{Book, Key, Reading};
use rc_scheduler::{DeviceId, Epoch, TaskId};
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle as Runtime;
use tokio::sync::{Notify, Semaphore, watch};

/// The first byte of a stream between two devices that is about this; large data has another.
pub(crate) const SERVICE: u8 = 2;

/// Streams that are served to followers at once.
const FOLLOWERS_MAX: usize = 64;
/// Devices that leave copies here at once.
const COPYING_MAX: usize = 256;
/// Bytes between the two ends of a stream within this process.
const NEAR_BYTES: usize = 64 * 1024;

/// The bell of a task that sends copies, and what of.
type Due = (Arc<Notify>, HashSet<Key>);

struct Inner {
    me: DeviceId,
    runtime: Runtime,
    network: Arc<dyn Network>,
    book: Mutex<Book>,
    /// An attempt has begun here.
    begun: Notify,
    /// What each device is still to be sent, and the bell of the task that does it.
    due: Mutex<HashMap<DeviceId, Due>>,
    followers: Semaphore,
    copying: Semaphore,
    /// Names given to readers.
    readers: AtomicU64,
    driver: OnceLock<WeakHandle>,
}

/// What attempts say while they run; a cheap clone.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Live").field(&self.0.me).finish()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// Of the device `me`, within a tokio runtime.
    pub(crate) fn new(me: DeviceId, network: Arc<dyn Network>) -> Self {
        Self(Arc::new(Inner {
            me,
            runtime: Runtime::current(),
            network,
            book: Mutex::default(),
            begun: Notify::new(),
            due: Mutex::default(),
            followers: Semaphore::new(FOLLOWERS_MAX),
            copying: Semaphore::new(COPYING_MAX),
            readers: AtomicU64::new(0),
            driver: OnceLock::new(),
        }))
    }

    /// Whom to ask who holds a lease; until then no copies are taken.
    pub(crate) fn ask(&self, driver: WeakHandle) {
        // Once, by whoever starts the node.
        let _ = self.0.driver.set(driver);
    }

    /// An attempt begins here. What is returned hears it.
    pub(crate) fn begin(&self, task: TaskId, epoch: Epoch) -> Arc<dyn TaskSink> {
        let key = (task, epoch);
        locked(&self.0.book).begin(key);
        self.0.begun.notify_waiters();
        Arc::new(Writer { live: self.clone(), key })
    }

    /// An attempt here has ended.
    pub(crate) fn end(&self, task: TaskId, epoch: Epoch) {
        let copies = locked(&self.0.book).end((task, epoch), true);
        self.copy((task, epoch), &copies);
    }

    /// Finds out who gets a copy of an attempt that has begun to write.
    fn find_out(&self, key: Key) {
        let Some(driver) = self.0.driver.get().cloned() else { return };
        let live = self.clone();
        self.0.runtime.spawn(async move {
            let devices = driver.copies(key.0).await;
            locked(&live.0.book).copy_to(key, &devices);
            live.copy(key, &devices);
        });
    }

    fn read(&self, key: Key, from: u64, bytes_max: usize) -> Option<Reading> {
        locked(&self.0.book).read(key, from, bytes_max)
    }

    fn bell(&self, key: Key) -> Option<watch::Receiver<()>> {
        locked(&self.0.book).bell(key)
    }

    /// Serves a stream that a peer opened for this.
    pub(crate) fn serve_stream(&self, peer: DeviceId, stream: Box<dyn NetworkStream>) {
        self.0.runtime.spawn(serve::serve(self.clone(), peer, stream));
    }

    /// A stream to a device, with a request on it; it may be this one.
    async fn open(&self, device: DeviceId, request: wire::Request) -> io::Result<Box<dyn NetworkStream>> {
        let mut first = Vec::new();
        let mut stream: Box<dyn NetworkStream> = if device == self.0.me {
            let (near, far) = tokio::io::duplex(NEAR_BYTES);
            self.serve_stream(device, Box::new(far));
            Box::new(near)
        } else {
            first.push(SERVICE);
            self.0.network.open(device).await?
        };
        first.extend(request.encode());
        stream.write_all(&first).await?;
        stream.flush().await?;
        Ok(stream)
    }
}

/// Hears one attempt.
struct Writer {
    live: Live,
    key: Key,
}

impl TaskSink for Writer {
    fn progress(&self, percent: u8, text: &str) {
        let said = |state: &mut LiveState| {
            state.percent = Some(percent);
            text.clone_into(&mut state.text);
        };
        locked(&self.live.0.book).say(self.key, said, true);
    }

    fn output(&self, stream: Stream, chunk: &[u8]) {
        let (copies, ask) = locked(&self.live.0.book).write(self.key, stream, chunk);
        self.live.copy(self.key, &copies);
        if ask {
            self.live.find_out(self.key);
        }
    }

    fn has_room(&self) -> bool {
        locked(&self.live.0.book).keeps_up(self.key)
    }

    fn usage(&self, usage: ResourceUsage) {
        locked(&self.live.0.book).say(self.key, |state| state.uses(usage), false);
    }
}
