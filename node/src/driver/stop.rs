//! The way down: no new requests, attempts handed back, everything on disk, goodbye.

use super::disk::Disk;
use super::request::Answer;
use super::run::Driver;
use crate::clock;
use rc_p2p::{Client, Events};
use rc_scheduler::{Blocked, Input, Mono, Span};

/// Whatever is not done by then is left: attempts that do not let go, a disk that is full.
const STOP_TIME_MAX: Span = Span::from_secs(6);

/// A stop under way.
#[derive(Debug)]
pub(super) struct Stopping {
    deadline: Mono,
    told: Vec<Answer<()>>,
}

impl Stopping {
    pub(super) const fn deadline(&self) -> Mono {
        self.deadline
    }
}

impl Driver {
    /// Takes nothing new, stops what runs. The loop goes on until [`Self::has_stopped`].
    pub(super) fn begin_stop(&mut self, told: Option<Answer<()>>) {
        if let Some(stopping) = &mut self.stopping {
            stopping.told.extend(told);
            return;
        }
        tracing::info!("stopping");
        let deadline = clock::now().mono + STOP_TIME_MAX;
        self.stopping = Some(Stopping { deadline, told: told.into_iter().collect() });
        self.capacity.blocked.insert(Blocked::Draining);
        self.feed(Input::Capacity(Box::new(self.capacity.clone())));
        // What runs and waits here is handed back, and goes on elsewhere while this device is still on its way down.
        self.feed(Input::GiveUp);
    }

    /// Nothing runs and everything is on disk, or it takes too long.
    pub(super) fn has_stopped(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| {
            let done = self.attempts.is_empty() && self.disk.is_idle();
            done || clock::now().mono >= stopping.deadline
        })
    }
}

/// Sends what is queued, says goodbye, and closes the log.
pub(super) async fn close(client: Client, mut events: Events, disk: Disk, stopping: Option<Stopping>) {
    if !disk.is_idle() {
        tracing::error!(writes = disk.unsafe_writes(), "stopping although the disk did not take everything");
    }
    // The network may have to get rid of its last events before it can end.
    tokio::join!(client.shutdown(), async { while events.next().await.is_some() {} });
    let writer = disk.into_writer();
    if tokio::task::spawn_blocking(move || drop(writer)).await.is_err() {
        tracing::error!("the disk's thread broke");
    }
    tracing::info!("stopped");
    for told in stopping.into_iter().flat_map(|stopping| stopping.told) {
        super::request::answer(told, Ok(()));
    }
}
