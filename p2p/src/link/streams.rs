//! Gets substreams of one protocol in and out of the swarm, each with the connection it belongs to.
//!
//! Pure plumbing. It exists because the generic stream behaviour of libp2p opens on an arbitrary connection of the peer, does
//! not say which connection a stream came on, and drops an incoming stream when two arrive at once.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{Endpoint, transport::PortUse, upgrade::ReadyUpgrade},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
        NotifyHandler, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};

/// Link streams of one connection that wait for the network task; a peer that opens more than this at once loses them.
pub(crate) const WAITING_MAX: usize = 4;

/// News about a substream.
#[derive(Debug)]
pub(crate) struct StreamEvent {
    pub(crate) peer: PeerId,
    pub(crate) connection: ConnectionId,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// The peer opened it.
    Accepted(Stream),
    /// We asked for it.
    Opened(Stream),
    /// We asked for it and cannot have it.
    Failed(String),
}

/// Ask for a substream.
#[derive(Debug)]
pub(crate) struct Open;

pub(crate) struct Behaviour {
    protocol: StreamProtocol,
    waiting_max: usize,
    queue: VecDeque<ToSwarm<StreamEvent, Open>>,
}

impl Behaviour {
    /// At most `waiting_max` news of one connection wait for the network task.
    pub(crate) fn new(protocol: StreamProtocol, waiting_max: usize) -> Self {
        Self { protocol, waiting_max, queue: VecDeque::new() }
    }

    /// Opens a substream on this very connection; a [`StreamEvent`] follows unless the connection closes first.
    pub(crate) fn open(&mut self, peer: PeerId, connection: ConnectionId) {
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(connection),
            event: Open,
        });
    }

    fn handler(&self) -> Handler {
        Handler { protocol: self.protocol.clone(), waiting_max: self.waiting_max, wanted: 0, news: VecDeque::new() }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = StreamEvent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, what: THandlerOutEvent<Self>) {
        self.queue.push_back(ToSwarm::GenerateEvent(StreamEvent { peer, connection, what }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<StreamEvent, THandlerInEvent<Self>>> {
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

pub(crate) struct Handler {
    protocol: StreamProtocol,
    waiting_max: usize,
    wanted: usize,
    news: VecDeque<What>,
}

impl Handler {
    fn tell(&mut self, what: What) {
        if self.news.len() < self.waiting_max {
            self.news.push_back(what);
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = What;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ())
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), What>> {
        if let Some(what) = self.news.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(what));
        }
        if self.wanted > 0 {
            self.wanted -= 1;
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, Open: Open) {
        self.wanted += 1;
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => {
                self.tell(What::Accepted(protocol));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, .. }) => {
                self.tell(What::Opened(protocol));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.tell(What::Failed(error.to_string()));
            }
            _ => {}
        }
    }
}
