//! Gossip out and in.

use std::time::Instant;

use libp2p::gossipsub::{Event as GossipEvent, PublishError};

use super::EventLoop;
use crate::{event::Event, gossip, stats::count};

/// Gossip that waits for the caller; more is dropped, which gossip may be.
const UNREAD_MAX: usize = 256;

impl EventLoop {
    pub(super) fn on_gossip(&mut self, event: GossipEvent) {
        match event {
            GossipEvent::Message { propagation_source, message, .. } => {
                count(&self.shared.counters.gossip_in);
                if self.news.len() < UNREAD_MAX {
                    self.announce([Event::Gossip { via: propagation_source, bytes: message.data }]);
                } else {
                    count(&self.shared.counters.gossip_dropped);
                }
            }
            GossipEvent::Subscribed { peer_id, .. } => self.gossip.listens(peer_id),
            GossipEvent::Unsubscribed { peer_id, .. } => self.gossip.deaf(&peer_id),
            GossipEvent::SlowPeer { peer_id, .. } => {
                tracing::debug!(peer = %peer_id, "too slow for gossip")
            }
            GossipEvent::GossipsubNotSupported { .. } => {}
        }
    }

    /// Publishes what may go out.
    pub(super) fn publish(&mut self, now: Instant) {
        while let Some(message) = self.gossip.poll(now) {
            let counters = &self.shared.counters;
            match self.swarm.behaviour_mut().gossip.publish(gossip::topic(), message) {
                Ok(_) => count(&counters.gossip_out),
                // On its way already.
                Err(PublishError::Duplicate) => {}
                Err(error) => {
                    count(&counters.gossip_dropped);
                    tracing::debug!(%error, "gossip lost");
                }
            }
        }
    }
}
