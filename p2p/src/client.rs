//! The caller's handle: frames and commands in. Cheap, never waits, and every queue behind it is bounded.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use libp2p::{Multiaddr, PeerId, Stream};
use tokio::sync::{mpsc, oneshot};

use crate::{
    command::Command,
    config::Limits,
    error::{CommandError, GossipError, OpenError, SendError},
    exchange,
    link::Queue,
    stats::{Counters, Stats},
};

/// What the handle and the network task both use.
pub(crate) struct Shared {
    links: RwLock<BTreeMap<PeerId, Queue>>,
    pub(crate) counters: Counters,
    frame_bytes_max: usize,
    gossip_bytes_max: usize,
}

impl Shared {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            links: RwLock::default(),
            counters: Counters::default(),
            frame_bytes_max: limits.frame_bytes_max,
            gossip_bytes_max: limits.gossip_bytes_max,
        }
    }

    pub(crate) fn link(&self, peer: PeerId, queue: Queue) {
        self.links.write().unwrap_or_else(PoisonError::into_inner).insert(peer, queue);
    }

    pub(crate) fn unlink(&self, peer: &PeerId) {
        self.links.write().unwrap_or_else(PoisonError::into_inner).remove(peer);
    }
}

/// The way into the network. Clones lead to the same network, which ends when the last one is dropped.
#[derive(Clone)]
pub struct Client {
    me: PeerId,
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    incoming: Arc<exchange::Kept>,
}

impl Client {
    pub(crate) fn new(
        me: PeerId,
        commands: mpsc::Sender<Command>,
        shared: Arc<Shared>,
        incoming: exchange::Kept,
    ) -> Self {
        Self { me, commands, shared, incoming: Arc::new(incoming) }
    }

    /// This node's id.
    #[must_use]
    pub fn me(&self) -> PeerId {
        self.me
    }

    /// Queues one frame for a linked peer. It arrives whole, in order, or not at all if a `Down` comes first.
    ///
    /// # Errors
    /// The frame was not queued: see [`SendError`].
    pub fn send(&self, to: PeerId, frame: impl Into<Bytes>) -> Result<(), SendError> {
        let frame = frame.into();
        if frame.len() > self.shared.frame_bytes_max {
            return Err(SendError::TooLarge);
        }
        let links = self.shared.links.read().unwrap_or_else(PoisonError::into_inner);
        links.get(&to).ok_or(SendError::NotConnected)?.push(frame)
    }

    /// Publishes to all members, best effort: lost without notice when there is nobody to hear it or a queue is full.
    /// The same bytes published twice within a minute are one message.
    ///
    /// # Errors
    /// The message was not queued: see [`GossipError`].
    pub fn gossip(&self, message: impl Into<Bytes>) -> Result<(), GossipError> {
        let message = message.into();
        if message.len() > self.shared.gossip_bytes_max {
            return Err(GossipError::TooLarge);
        }
        self.command(Command::Gossip(message)).map_err(|error| match error {
            CommandError::Full => GossipError::Full,
            CommandError::Closed => GossipError::Closed,
        })
    }

    /// Looks for a member at this address, now and until it is found (as `Config::peers`).
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn dial(&self, address: Multiaddr) -> Result<(), CommandError> {
        self.command(Command::Dial(address))
    }

    /// For a peer that has gone silent: closes the connection without waiting for it, `Down` follows, and tries to reach the
    /// peer again at once. Without a connection it only brings the next attempt forward.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn reset(&self, peer: PeerId) -> Result<(), CommandError> {
        self.command(Command::Reset(peer))
    }

    /// Turns a member out: its connection is closed and it is treated as an outsider until [`Client::allow`]. Not kept on disk.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn revoke(&self, peer: PeerId) -> Result<(), CommandError> {
        self.command(Command::Revoke(peer))
    }

    /// Takes a revocation back.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn allow(&self, peer: PeerId) -> Result<(), CommandError> {
        self.command(Command::Allow(peer))
    }

    /// The peers that are linked now.
    #[must_use]
    pub fn linked(&self) -> Vec<PeerId> {
        self.shared.links.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Opens a stream of the caller's own to a linked peer: for what is too large for a frame, and must not delay any. It lives and
    /// dies with the connection that the link is on. Waits until the peer has taken it, or the connection is gone.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(&self, peer: PeerId) -> Result<Stream, OpenError> {
        let (answer, answered) = oneshot::channel();
        self.command(Command::Open(peer, answer)).map_err(|error| match error {
            CommandError::Full => OpenError::Busy,
            CommandError::Closed => OpenError::Closed,
        })?;
        answered.await.unwrap_or(Err(OpenError::NotConnected))
    }

    /// The streams that peers open; for one taker. Streams that nobody takes are refused.
    #[must_use]
    pub fn take_incoming(&self) -> Option<exchange::Incoming> {
        self.incoming.take()
    }

    /// The counters as they are now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let links = self.shared.links.read().unwrap_or_else(PoisonError::into_inner);
        self.shared.counters.snapshot(links.iter().map(|(peer, queue)| (*peer, queue.stats())).collect())
    }

    /// Sends what is queued (for up to half a second), says goodbye and ends the network.
    pub async fn shutdown(self) {
        let (done, finished) = oneshot::channel();
        if self.commands.send(Command::Shutdown(done)).await.is_ok() {
            // An error means that the task has ended, which is what was asked for.
            let _ = finished.await;
        }
    }

    fn command(&self, command: Command) -> Result<(), CommandError> {
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommandError::Full,
            mpsc::error::TrySendError::Closed(_) => CommandError::Closed,
        })
    }
}
