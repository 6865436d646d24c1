//! Gossip: small messages to everybody that may be lost.
//!
//! Gossipsub with one topic, unsigned (only members are connected, and that is proven), tuned for few members and quiet phones.
//! A member learns a moment after its link is up that the other listens to the topic; [`Waiting`] holds messages back for that
//! moment, so that what is published right after an `Up` reaches the peer. Knows nothing about what the messages say.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use libp2p::{
    PeerId,
    gossipsub::{self, IdentTopic, MessageAuthenticity, MessageId, TopicHash, ValidationMode},
};

/// Publishing goes straight to every neighbour, so the heartbeat only tends the mesh; a slow one lets a phone sleep.
const HEARTBEAT: Duration = Duration::from_secs(5);
const FIRST_HEARTBEAT: Duration = Duration::from_millis(500);
/// The same bytes are taken for the same message this long.
const DUPLICATES: Duration = Duration::from_secs(60);
/// Messages queued towards one neighbour.
const QUEUE_MAX: usize = 256;
/// Room for the envelope around the largest message.
const ENVELOPE_BYTES: usize = 1024;
/// How long a message waits for a new neighbour to say that it listens.
const PATIENCE: Duration = Duration::from_millis(1000);
/// Messages that wait.
pub(crate) const WAITING_MAX: usize = 64;

pub(crate) type Behaviour = gossipsub::Behaviour;

/// The cluster's only topic; the protocol name already says which cluster.
pub(crate) fn topic() -> TopicHash {
    IdentTopic::new("all").hash()
}

pub(crate) fn build(prefix: &str, gossip_bytes_max: usize) -> Result<Behaviour, String> {
    let config = gossipsub::ConfigBuilder::default()
        .protocol_id_prefix(format!("{prefix}/gossip"))
        .heartbeat_interval(HEARTBEAT)
        .heartbeat_initial_delay(FIRST_HEARTBEAT)
        .validation_mode(ValidationMode::Anonymous)
        .message_id_fn(|message| MessageId::from(blake3::hash(&message.data).as_bytes().to_vec()))
        .max_transmit_size(gossip_bytes_max + ENVELOPE_BYTES)
        .duplicate_cache_time(DUPLICATES)
        .connection_handler_queue_len(QUEUE_MAX)
        // It reaches every neighbour at once, and passing on is only for those who are nobody's neighbour: in a small cluster each
        // copy more is one that everybody has already.
        .flood_publish(true)
        .mesh_n(2)
        .mesh_n_low(1)
        .mesh_n_high(6)
        .mesh_outbound_min(1)
        .gossip_lazy(3)
        .build()
        .map_err(|error| error.to_string())?;
    let mut behaviour = Behaviour::new(MessageAuthenticity::Anonymous, config).map_err(str::to_owned)?;
    behaviour.subscribe(&IdentTopic::new("all")).map_err(|error| error.to_string())?;
    Ok(behaviour)
}

/// Messages held back until the newest neighbours listen. No I/O and no clock.
#[derive(Default)]
pub(crate) struct Waiting {
    messages: VecDeque<(Bytes, Instant)>,
    linked: BTreeSet<PeerId>,
    listening: BTreeSet<PeerId>,
}

impl Waiting {
    /// Queues a message; gives it back when too many wait.
    pub(crate) fn push(&mut self, message: Bytes, now: Instant) -> Result<(), Bytes> {
        if self.messages.len() >= WAITING_MAX {
            return Err(message);
        }
        self.messages.push_back((message, now + PATIENCE));
        Ok(())
    }

    /// The next message that may go out.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Bytes> {
        let &(_, deadline) = self.messages.front()?;
        // With nobody linked there is nobody to wait for: the attempt will say so.
        let everybody = self.linked.is_subset(&self.listening);
        (everybody || deadline <= now).then(|| self.messages.pop_front().map(|(message, _)| message))?
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.messages.front().map(|&(_, deadline)| deadline)
    }

    pub(crate) fn linked(&mut self, peer: PeerId) {
        self.linked.insert(peer);
    }

    pub(crate) fn unlinked(&mut self, peer: &PeerId) {
        self.linked.remove(peer);
    }

    pub(crate) fn listens(&mut self, peer: PeerId) {
        self.listening.insert(peer);
    }

    pub(crate) fn deaf(&mut self, peer: &PeerId) {
        self.listening.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_the_new_neighbour_but_not_for_ever() {
        let (mut waiting, now, peer) = (Waiting::default(), Instant::now(), PeerId::random());
        waiting.linked(peer);
        waiting.push(Bytes::from_static(b"1"), now).unwrap();
        assert_eq!(waiting.poll(now), None);
        waiting.listens(peer);
        assert!(waiting.poll(now).is_some());
        waiting.deaf(&peer);
        waiting.push(Bytes::from_static(b"2"), now).unwrap();
        assert_eq!(waiting.poll(now), None);
        assert!(waiting.poll(now + PATIENCE).is_some());
    }

    #[test]
    fn bounded() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        waiting.linked(PeerId::random());
        for _ in 0..WAITING_MAX {
            waiting.push(Bytes::new(), now).unwrap();
        }
        assert!(waiting.push(Bytes::new(), now).is_err());
    }
}
