//! The bounded way from the links and the network task to the caller.
//!
//! Bounded twice: by number (the channel) and by bytes of frames (a semaphore whose permits travel with the frames), so that a
//! slow caller pauses the readers instead of filling the memory. Knows nothing about who sends.

use std::sync::Arc;

use libp2p::PeerId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::event::Event;

struct Item {
    event: Event,
    /// Gives the bytes back to the budget when the caller takes the frame.
    _budget: Option<OwnedSemaphorePermit>,
}

/// The caller's end: everything the network has to say, in order.
pub struct Events {
    items: mpsc::Receiver<Item>,
}

impl Events {
    /// The next event; `None` once the network has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.items.recv().await.map(|item| item.event)
    }

    /// The next event if one is waiting.
    pub fn try_next(&mut self) -> Option<Event> {
        self.items.try_recv().ok().map(|item| item.event)
    }
}

/// The caller has dropped its [`Events`].
#[derive(Debug)]
pub(crate) struct Gone;

/// The network's end; cheap to clone.
#[derive(Clone)]
pub(crate) struct Inbox {
    items: mpsc::Sender<Item>,
    bytes: Arc<Semaphore>,
    bytes_max: usize,
}

/// A place for one event that is certain to be accepted.
pub(crate) struct Slot<'a>(mpsc::Permit<'a, Item>);

impl Slot<'_> {
    pub(crate) fn send(self, event: Event) {
        self.0.send(Item { event, _budget: None });
    }
}

/// Room for one frame's bytes.
pub(crate) struct Room(OwnedSemaphorePermit);

impl Inbox {
    pub(crate) fn new(events_max: usize, bytes_max: usize) -> (Self, Events) {
        let (sender, items) = mpsc::channel(events_max.max(1));
        let bytes_max = bytes_max.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        let inbox = Self { items: sender, bytes: Arc::new(Semaphore::new(bytes_max)), bytes_max };
        (inbox, Events { items })
    }

    /// Waits until `bytes` more fit. A frame larger than the whole budget takes all of it.
    pub(crate) async fn room(&self, bytes: usize) -> Result<Room, Gone> {
        let permits = u32::try_from(bytes.min(self.bytes_max)).unwrap_or(u32::MAX);
        Arc::clone(&self.bytes).acquire_many_owned(permits).await.map(Room).map_err(|_| Gone)
    }

    pub(crate) async fn frame(&self, from: PeerId, bytes: Vec<u8>, room: Room) -> Result<(), Gone> {
        let item = Item { event: Event::Frame { from, bytes }, _budget: Some(room.0) };
        self.items.send(item).await.map_err(|_| Gone)
    }

    pub(crate) async fn event(&self, event: Event) -> Result<(), Gone> {
        self.items.send(Item { event, _budget: None }).await.map_err(|_| Gone)
    }

    pub(crate) async fn slot(&self) -> Result<Slot<'_>, Gone> {
        self.items.reserve().await.map(Slot).map_err(|_| Gone)
    }

    pub(crate) async fn closed(&self) {
        self.items.closed().await;
    }
}
