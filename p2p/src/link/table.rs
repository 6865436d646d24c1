//! Decides which connection and which stream is the link to each peer. No I/O: news in, actions out.
//!
//! The member with the lower id is the *opener*: it alone opens link streams, on the connection it picks, and closes the
//! others. The other side takes the newest stream it is offered. A link ends before its successor starts.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, PeerId, swarm::ConnectionId};

#[cfg(test)]
mod tests;

/// Two connections made within this time are a simultaneous dial, and one is superfluous. A later one from the peer means that
/// the peer does not have the older one any more (it crashed, or was cut off), even if nothing here has noticed.
const SIMULTANEOUS: Duration = Duration::from_secs(3);

/// What is to be done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action<S> {
    /// Ask for a link stream.
    Open { peer: PeerId, connection: ConnectionId },
    /// Close one connection.
    Close { connection: ConnectionId },
    /// This stream is the link now.
    Start { peer: PeerId, connection: ConnectionId, address: Multiaddr, stream: S },
    /// End the running link; [`Table::ended`] is to follow.
    Stop { peer: PeerId },
    /// Nothing connects us to the peer any more.
    Lost { peer: PeerId, had_link: bool },
}

struct Connection {
    id: ConnectionId,
    inbound: bool,
    address: Multiaddr,
}

struct Running {
    connection: ConnectionId,
    since: Instant,
}

struct Entry<S> {
    connections: Vec<Connection>,
    opening: Option<ConnectionId>,
    link: Option<Running>,
    /// Takes over when the running link has ended.
    next: Option<(ConnectionId, S)>,
    had_link: bool,
}

impl<S> Default for Entry<S> {
    fn default() -> Self {
        Self { connections: Vec::new(), opening: None, link: None, next: None, had_link: false }
    }
}

/// The links and connections of all peers.
pub(crate) struct Table<S> {
    me: PeerId,
    peers: BTreeMap<PeerId, Entry<S>>,
}

impl<S> Table<S> {
    pub(crate) fn new(me: PeerId) -> Self {
        Self { me, peers: BTreeMap::new() }
    }

    fn opens(&self, peer: &PeerId) -> bool {
        self.me < *peer
    }

    /// Peers with a connection or a link.
    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Where the peer's end of this connection is.
    pub(crate) fn address(&self, peer: &PeerId, connection: ConnectionId) -> Option<&Multiaddr> {
        let connections = &self.peers.get(peer)?.connections;
        connections.iter().find(|c| c.id == connection).map(|c| &c.address)
    }

    /// The connection that the running link is on.
    pub(crate) fn connection(&self, peer: &PeerId) -> Option<ConnectionId> {
        self.peers.get(peer)?.link.as_ref().map(|link| link.connection)
    }

    /// The peers' ends of all connections.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Multiaddr> {
        self.peers.values().flat_map(|entry| entry.connections.iter().map(|c| &c.address))
    }

    pub(crate) fn established(
        &mut self,
        now: Instant,
        peer: PeerId,
        id: ConnectionId,
        inbound: bool,
        address: Multiaddr,
    ) -> Vec<Action<S>> {
        let opens = self.opens(&peer);
        let entry = self.peers.entry(peer).or_default();
        entry.connections.push(Connection { id, inbound, address });
        if !opens {
            return Vec::new();
        }
        match &entry.link {
            _ if entry.opening.is_some() => Vec::new(),
            None => entry.open(peer, id),
            Some(link) if inbound && now.duration_since(link.since) > SIMULTANEOUS => entry.open(peer, id),
            Some(_) => entry.close(id),
        }
    }

    pub(crate) fn closed(&mut self, peer: PeerId, id: ConnectionId) -> Vec<Action<S>> {
        let opens = self.opens(&peer);
        let Some(entry) = self.peers.get_mut(&peer) else {
            return Vec::new();
        };
        entry.connections.retain(|c| c.id != id);
        entry.next.take_if(|next| next.0 == id);
        if entry.opening == Some(id) {
            entry.opening = None;
        }
        // A running link notices by itself, after it has delivered what had arrived.
        let mut actions = if opens { entry.reopen(peer) } else { Vec::new() };
        actions.extend(self.forget_if_empty(peer));
        actions
    }

    /// A link stream is there: opened by us, or accepted from the peer.
    pub(crate) fn stream(
        &mut self,
        now: Instant,
        peer: PeerId,
        id: ConnectionId,
        accepted: bool,
        stream: S,
    ) -> Vec<Action<S>> {
        // Only the opener opens: anything else is a peer that does not keep to the protocol, and the stream is dropped.
        if accepted == self.opens(&peer) {
            return Vec::new();
        }
        let Some(entry) = self.peers.get_mut(&peer) else {
            return Vec::new();
        };
        if entry.opening == Some(id) {
            entry.opening = None;
        }
        if !entry.connections.iter().any(|c| c.id == id) {
            return Vec::new();
        }
        entry.next = Some((id, stream));
        let mut actions = Vec::new();
        if !accepted {
            let surplus: Vec<_> = entry.connections.iter().map(|c| c.id).filter(|&other| other != id).collect();
            // The replaced link is stopped first, so that its end is ours and not an error.
            if entry.link.is_some() {
                actions.push(Action::Stop { peer });
            }
            for other in surplus {
                actions.extend(entry.close(other));
            }
        } else if entry.link.is_some() {
            actions.push(Action::Stop { peer });
        }
        if entry.link.is_none() {
            actions.extend(entry.start(now, peer));
        }
        actions
    }

    /// A link stream could not be opened on this connection.
    pub(crate) fn failed(&mut self, peer: PeerId, id: ConnectionId) -> Vec<Action<S>> {
        let Some(entry) = self.peers.get_mut(&peer) else {
            return Vec::new();
        };
        if entry.opening == Some(id) {
            entry.opening = None;
        }
        let mut actions = entry.close(id);
        actions.extend(entry.reopen(peer));
        actions.extend(self.forget_if_empty(peer));
        actions
    }

    /// The running link has said its last word.
    pub(crate) fn ended(&mut self, now: Instant, peer: PeerId, id: ConnectionId) -> Vec<Action<S>> {
        let opens = self.opens(&peer);
        let Some(entry) = self.peers.get_mut(&peer) else {
            return Vec::new();
        };
        entry.link = None;
        let mut actions = entry.start(now, peer);
        if entry.link.as_ref().is_none_or(|link| link.connection != id) {
            actions.extend(entry.close(id));
        }
        if entry.link.is_none() && opens {
            actions.extend(entry.reopen(peer));
        }
        actions.extend(self.forget_if_empty(peer));
        actions
    }

    /// Drops everything that connects us to the peer, now.
    pub(crate) fn reset(&mut self, peer: PeerId) -> Vec<Action<S>> {
        let Some(entry) = self.peers.get_mut(&peer) else {
            return Vec::new();
        };
        let mut actions = Vec::new();
        entry.opening = None;
        entry.next = None;
        if entry.link.is_some() {
            actions.push(Action::Stop { peer });
        }
        let all: Vec<_> = entry.connections.iter().map(|c| c.id).collect();
        for id in all {
            actions.extend(entry.close(id));
        }
        actions.extend(self.forget_if_empty(peer));
        actions
    }

    fn forget_if_empty(&mut self, peer: PeerId) -> Option<Action<S>> {
        let entry = self.peers.get(&peer)?;
        if !entry.connections.is_empty() || entry.link.is_some() || entry.next.is_some() {
            return None;
        }
        let had_link = self.peers.remove(&peer)?.had_link;
        Some(Action::Lost { peer, had_link })
    }
}

impl<S> Entry<S> {
    fn open(&mut self, peer: PeerId, connection: ConnectionId) -> Vec<Action<S>> {
        self.opening = Some(connection);
        vec![Action::Open { peer, connection }]
    }

    /// Opens on the newest connection there is, if there is neither a link nor an attempt.
    fn reopen(&mut self, peer: PeerId) -> Vec<Action<S>> {
        if self.link.is_some() || self.opening.is_some() || self.next.is_some() {
            return Vec::new();
        }
        // One that we dialled is preferred: its address is known to work.
        let newest = self.connections.iter().rev().min_by_key(|c| c.inbound).map(|c| c.id);
        newest.map_or_else(Vec::new, |id| self.open(peer, id))
    }

    /// Forgets the connection and closes it; nothing if it has gone already.
    fn close(&mut self, id: ConnectionId) -> Vec<Action<S>> {
        let before = self.connections.len();
        self.connections.retain(|c| c.id != id);
        if self.connections.len() == before { Vec::new() } else { vec![Action::Close { connection: id }] }
    }

    fn start(&mut self, now: Instant, peer: PeerId) -> Vec<Action<S>> {
        let Some((connection, stream)) = self.next.take() else {
            return Vec::new();
        };
        let Some(address) = self.connections.iter().find(|c| c.id == connection).map(|c| c.address.clone()) else {
            return Vec::new();
        };
        self.link = Some(Running { connection, since: now });
        self.had_link = true;
        vec![Action::Start { peer, connection, address, stream }]
    }
}
