//! Carries out what the core wants done.

use super::attempts;
use super::run::Driver;
use crate::trace::{Trace, TraceId};
use rc_p2p::SendError;
use rc_scheduler::{DeviceId, Effect, Entry, Event, Message, TaskId, wire};
use std::time::Duration;

/// Between asking an attempt to end and making it end.
const STOP_GRACE: Duration = Duration::from_secs(2);

impl Driver {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Persist { upto, entries } => {
                for entry in &entries {
                    match entry {
                        Entry::Fact(task, fact) | Entry::Ended(task, fact, _) => self.large.blobs().refer(*task, fact),
                        Entry::Drop(task) | Entry::Bury(task, _) => {
                            self.large.blobs().forget(*task);
                            self.left_here(*task);
                        }
                        Entry::Forget(..) | Entry::Member(_) | Entry::Graves(..) | Entry::Clock { .. } => {}
                    }
                }
                self.disk.persist(upto, entries);
            }
            Effect::Load { task } => self.disk.load(task),
            Effect::Send { to, message } => self.send(to, &message),
            Effect::Gossip(record) => {
                if let Err(error) = self.client.gossip(wire::encode_record(&record)) {
                    tracing::debug!(%error, "not gossiped");
                }
            }
            Effect::Start(start) => self.start(start),
            Effect::Stop { task, epoch, why } => {
                tracing::debug!(%task, %epoch, trace_id = %self.trace_id(task), ?why, "stopping");
                if !self.large.stop(task, epoch) {
                    self.executor.stop(&task.to_string(), epoch.0, attempts::stop_reason(why), STOP_GRACE);
                }
            }
            Effect::Reply { id, reply } => self.handle_reply(id, reply),
            Effect::Notify(event) => self.notify(event),
        }
    }

    fn send(&mut self, to: DeviceId, message: &Message) {
        let Some(peer) = self.peers.name(to) else {
            tracing::debug!(device = %to, "no way to this device");
            return;
        };
        match self.client.send(peer, wire::encode(message)) {
            Ok(()) => {}
            // Its `Down` is on the way here.
            Err(SendError::NotConnected) => tracing::debug!(%peer, "not connected"),
            // The core relies on frames arriving in order or the link going down: a gap must show.
            Err(error @ (SendError::Full | SendError::TooLarge)) => {
                tracing::warn!(%peer, %error, "the link starts anew");
                self.reset(to);
            }
        }
    }

    fn reset(&self, device: DeviceId) {
        if let Some(peer) = self.peers.name(device)
            && let Err(error) = self.client.reset(peer)
        {
            tracing::warn!(%peer, %error, "the link was not reset");
        }
    }

    /// The trace of a task, for the log.
    pub(super) fn trace_id(&self, task: TaskId) -> TraceId {
        Trace::of(task, self.core.view().spec(task)).id
    }

    fn notify(&mut self, event: Event) {
        match &event {
            Event::Settled { task } => {
                tracing::debug!(%task, trace_id = %self.trace_id(*task), "settled");
                self.tell_waiters(*task);
            }
            Event::PeerHeard { device, incarnation } => tracing::info!(%device, %incarnation, "heard"),
            Event::PeerLost { device, proven } => {
                tracing::warn!(%device, proven, "lost");
                self.reset(*device);
            }
            Event::Woke { incarnation } => tracing::warn!(%incarnation, "woke as a new incarnation"),
            Event::AddDevice { waiting, wait } => {
                let wait_ms = wait.as_ms();
                tracing::warn!(
                    event = "cluster.add_device",
                    waiting,
                    wait_ms,
                    "tasks wait and every device that fits is busy"
                );
            }
            Event::Overloaded { is } => tracing::warn!(event = "device.overloaded", is, "the processor's load"),
            Event::Twins { device } => {
                tracing::warn!(event = "peer.twins", %device, "it contradicts itself: {}", super::happening::TWINS);
            }
            Event::Alarm { task, what } => {
                tracing::error!(%task, trace_id = %self.trace_id(*task), what, "alarm");
            }
            other => tracing::trace!(event = ?other, "news"),
        }
        self.raise(&event);
        self.meter(&event);
        self.trace_end(&event);
        self.tell_listeners(&event);
        // An error means that nobody watches.
        let _ = self.news.send(event);
    }
}
