//! Gets one blob from whoever has it: one peer after another, each group checked before it is written, going on from what is here.
//!
//! Few groups are under way at once, fewer when they take long: on a slow link this is all that can stand before a beat in the buffers
//! between two devices.

use super::error::BlobError;
use super::network::{Network, Stream};
use super::service::Blobs;
use super::store::Partial;
use super::tree;
use super::wire::{self, Request, Status};
use rc_scheduler::{BlobHash, BlobRef, DeviceId};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// For a peer to take a stream and to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// Without a group for so long, another peer is asked.
const STALL_TIME_MAX: Duration = Duration::from_secs(20);
/// Groups asked for ahead: 2 MiB.
const WINDOW_MAX: usize = 8;
/// A group that took this long stood in a queue somewhere.
const SLOW: Duration = Duration::from_millis(250);
const QUICK: Duration = Duration::from_millis(100);

/// Why a peer did not give all of it.
enum Stopped {
    /// It sent what is not the blob.
    Lied,
    /// It has not got it, went away, or is too busy.
    Peer(String),
    /// This device's own trouble: nobody else can help.
    Own(BlobError),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Peer(error.to_string())
    }
}

impl From<BlobError> for Stopped {
    fn from(error: BlobError) -> Self {
        Self::Own(error)
    }
}

impl Blobs {
    /// Fetches a blob from `peers`, in this order. What has arrived stays if it does not become whole.
    pub(super) async fn fetch_now(&self, blob: BlobRef, peers: &[DeviceId]) -> Result<(), BlobError> {
        let store = self.inner().store.clone();
        let mut partial = self.blocking(move || store.partial(blob)).await?;
        let mut why = Vec::new();
        for peer in peers {
            if partial.is_whole() {
                break;
            }
            if self.avoids(blob.hash, *peer) {
                why.push(format!("{peer} sent something else before"));
                continue;
            }
            let (back, stopped) = self.fetch_peer(blob, *peer, partial).await?;
            partial = back;
            match stopped {
                None => {}
                Some(Stopped::Own(error)) => return Err(error),
                Some(Stopped::Peer(reason)) => why.push(format!("{peer}: {reason}")),
                Some(Stopped::Lied) => {
                    self.inner().counters.refused.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(%peer, blob = %blob.hash, "what a peer sent is not the blob; another one is asked");
                    self.avoid(blob.hash, *peer);
                    why.push(format!("{peer} sent something else"));
                }
            }
        }
        if !partial.is_whole() {
            let why = why.iter().take(8).map(|reason| format!("; {reason}")).collect();
            return Err(BlobError::Missing { hash: blob.hash, asked: peers.len(), why });
        }
        self.blocking(move || partial.finish()).await?;
        self.inner().counters.fetched.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// From one peer, as far as that goes.
    async fn fetch_peer(
        &self,
        blob: BlobRef,
        peer: DeviceId,
        partial: Partial,
    ) -> Result<(Partial, Option<Stopped>), BlobError> {
        // In a slot, because a blocking step takes it away for a moment.
        let mut slot = Some(partial);
        let stopped = self.take_groups(blob, peer, &mut slot).await.err();
        match (slot, stopped) {
            (Some(partial), stopped) => Ok((partial, stopped)),
            (None, Some(Stopped::Own(error))) => Err(error),
            (None, _) => Err(io::Error::other("the disk's thread broke").into()),
        }
    }

    async fn take_groups(&self, blob: BlobRef, peer: DeviceId, slot: &mut Option<Partial>) -> Result<(), Stopped> {
        let mut stream = open(&*self.inner().network, peer, Request::Get { hash: blob.hash }).await?;
        let bytes = in_time(ANSWER_TIME_MAX, wire::read_bytes(&mut stream)).await?;
        if bytes != blob.bytes {
            return Err(Stopped::Lied);
        }
        let list = in_time(ANSWER_TIME_MAX, wire::read_list(&mut stream, bytes)).await?;
        let known = slot.as_ref().is_some_and(Partial::has_tree);
        if !known && !self.step(slot, move |partial| partial.learn(&list)).await? {
            return Err(Stopped::Lied);
        }
        let groups = tree::groups(blob.bytes);
        let mut next = slot.as_ref().map_or(0, Partial::next);
        let (mut asked, mut window) = (next, 2);
        let mut times = VecDeque::new();
        while next < groups {
            while asked < groups && times.len() < window {
                in_time(STALL_TIME_MAX, wire::ask_group(&mut stream, asked)).await?;
                times.push_back(Instant::now());
                asked += 1;
            }
            in_time(STALL_TIME_MAX, tokio::io::AsyncWriteExt::flush(&mut stream)).await?;
            let length = tree::group_bytes(blob.bytes, next);
            let data = in_time(STALL_TIME_MAX, wire::read_group(&mut stream, length)).await?;
            let Some(data) = data else {
                return Err(Stopped::Peer("it cannot read it any more".to_owned()));
            };
            let took = times.pop_front().map_or(Duration::ZERO, |at| at.elapsed());
            window = match took {
                took if took > SLOW => (window - 1).max(1),
                took if took < QUICK => (window + 1).min(WINDOW_MAX),
                _ => window,
            };
            if !self.step(slot, move |partial| partial.write(&data)).await? {
                return Err(Stopped::Lied);
            }
            self.inner().counters.bytes_in.fetch_add(length as u64, Ordering::Relaxed);
            next += 1;
        }
        Ok(())
    }

    /// Does something with the partial blob where it may block.
    async fn step<T: Send + 'static>(
        &self,
        slot: &mut Option<Partial>,
        act: impl FnOnce(&mut Partial) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let Some(mut partial) = slot.take() else {
            return Err(io::Error::other("the disk's thread broke").into());
        };
        let (partial, done) = tokio::task::spawn_blocking(move || {
            let done = act(&mut partial);
            (partial, done)
        })
        .await
        .map_err(io::Error::other)?;
        *slot = Some(partial);
        done
    }

    /// How long the blob is that only its hash is known of: the first peer that has it says.
    pub(super) async fn length_of(&self, hash: BlobHash) -> Result<BlobRef, BlobError> {
        let peers = self.inner().network.linked();
        for peer in &peers {
            let asked = async {
                let mut stream = open(&*self.inner().network, *peer, Request::Get { hash }).await?;
                let bytes = in_time(ANSWER_TIME_MAX, wire::read_bytes(&mut stream)).await?;
                // A length that cannot be checked is not believed.
                if tree::list_bytes(bytes) > tree::list_bytes(self.inner().store.limits().bytes_max) {
                    return Err(Stopped::Lied);
                }
                let list = in_time(ANSWER_TIME_MAX, wire::read_list(&mut stream, bytes)).await?;
                let blob = BlobRef { hash, bytes };
                tree::Tree::read(blob, &list).map(|_| blob).ok_or(Stopped::Lied)
            };
            if let Ok(blob) = asked.await {
                return Ok(blob);
            }
        }
        Err(BlobError::Missing { hash, asked: peers.len(), why: String::new() })
    }
}

async fn in_time<T>(limit: Duration, what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, what).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
}

/// A stream on which the peer has said that the blob is there.
async fn open(network: &dyn Network, peer: DeviceId, request: Request) -> Result<Box<dyn Stream>, Stopped> {
    let ask = async {
        let mut stream = network.open(peer).await?;
        wire::send_request(&mut stream, request).await?;
        let status = wire::read_status(&mut stream).await?;
        Ok((stream, status))
    };
    let (stream, status) = in_time(ANSWER_TIME_MAX, ask).await?;
    match status {
        Status::Here => Ok(stream),
        Status::Absent => Err(Stopped::Peer("it has not got it".to_owned())),
        Status::Busy => Err(Stopped::Peer("it is busy".to_owned())),
        Status::Full => Err(Stopped::Peer("it is full".to_owned())),
    }
}

/// Asks a peer to hold a blob; waits until it is on its disk.
pub(super) async fn ask_hold(
    network: &dyn Network,
    peer: DeviceId,
    blob: BlobRef,
    wait: Duration,
) -> io::Result<Status> {
    let ask = async {
        let mut stream = network.open(peer).await?;
        wire::send_request(&mut stream, Request::Hold { blob, wait }).await?;
        wire::read_status(&mut stream).await
    };
    // A little longer than the peer was told, so that its own word arrives.
    in_time(wait + Duration::from_secs(1), ask).await
}
