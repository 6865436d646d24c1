//! Carries out what the link table decides.

use std::time::Instant;

use libp2p::{Multiaddr, PeerId, Stream, swarm::ConnectionId};
use tokio::sync::oneshot;

use super::EventLoop;
use crate::{
    event::Event,
    link::{
        Queue,
        streams::{StreamEvent, What},
        table::Action,
        task::{Ended, Link, Stop},
    },
};

impl EventLoop {
    pub(super) fn on_stream(&mut self, event: StreamEvent, now: Instant) {
        let StreamEvent { peer, connection, what } = event;
        let actions = match what {
            What::Accepted(stream) => self.links.stream(now, peer, connection, true, stream),
            What::Opened(stream) => self.links.stream(now, peer, connection, false, stream),
            What::Failed(reason) => {
                tracing::debug!(%peer, %reason, "no link stream");
                self.links.failed(peer, connection)
            }
        };
        self.carry_out(actions, now);
    }

    pub(super) fn on_ended(&mut self, ended: &Ended, now: Instant) {
        self.running.remove(&ended.peer);
        self.shared.unlink(&ended.peer);
        self.gossip.unlinked(&ended.peer);
        let actions = self.links.ended(now, ended.peer, ended.connection);
        self.carry_out(actions, now);
    }

    pub(super) fn carry_out(&mut self, actions: Vec<Action<Stream>>, now: Instant) {
        for action in actions {
            match action {
                Action::Open { peer, connection } => self.swarm.behaviour_mut().links.open(peer, connection),
                Action::Close { connection } => {
                    self.swarm.close_connection(connection);
                }
                Action::Start { peer, connection, address, stream } => {
                    self.start_link(peer, connection, address, stream, now)
                }
                Action::Stop { peer } => self.stop_link(&peer, Stop::Now),
                Action::Lost { peer, had_link } => {
                    self.reachability.lost(peer, had_link, now);
                    if self.membership.is_revoked(&peer) {
                        self.reachability.keep_apart(peer, now);
                    }
                    self.swarm.behaviour_mut().kademlia.remove_peer(&peer);
                    let alone = self.links.len() == 0;
                    self.bootstrap.lost(peer, alone, now);
                    if alone {
                        self.lookups.alone();
                    }
                }
            }
        }
    }

    fn start_link(&mut self, peer: PeerId, connection: ConnectionId, address: Multiaddr, stream: Stream, now: Instant) {
        // A verdict that the caller has not taken yet is out of date, and must not arrive after the `Up`.
        self.news.retain(|event| {
            !matches!(event, Event::Refused { peer: about } | Event::Unreachable { peer: about } if *about == peer)
        });
        let bytes_max = self.limits.send_queue_bytes_max.max(self.limits.frame_bytes_max);
        let (queue, frames) = Queue::new(self.limits.send_queue_frames_max, bytes_max);
        let (stop_sender, stop) = oneshot::channel();
        let link = Link {
            peer,
            address,
            connection,
            stream,
            frames,
            counters: queue.counters.clone(),
            inbox: self.inbox.clone(),
            frame_bytes_max: self.limits.frame_bytes_max,
            stop,
            ended: self.ended_sender.clone(),
        };
        // Before the task that announces the link: whoever hears `Up` can send.
        self.shared.link(peer, queue);
        self.running.insert(peer, stop_sender);
        tokio::spawn(link.run());
        self.reachability.linked(peer);
        self.lookups.linked(now);
        self.gossip.linked(peer);
    }

    pub(super) fn stop_link(&mut self, peer: &PeerId, how: Stop) {
        // First the order, then the end of the queue: the link must know which of them is meant.
        if let Some(stop) = self.running.remove(peer) {
            // An error means that it has just ended by itself.
            let _ = stop.send(how);
        }
        self.shared.unlink(peer);
    }
}
