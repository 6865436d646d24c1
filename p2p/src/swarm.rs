//! Puts the node together: transport, protocols, listeners, event loop.

use std::{
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use libp2p::{
    Multiaddr, StreamProtocol, Swarm, TransportError,
    connection_limits::{self, ConnectionLimits},
    swarm,
};
use tokio::sync::mpsc;

use crate::{
    behaviour::Behaviour,
    client::{Client, Shared},
    config::Config,
    discovery,
    error::StartError,
    event::Event,
    event_loop::EventLoop,
    exchange, gossip,
    inbox::{Events, Inbox},
    link,
    listeners::Listeners,
    membership::{self, Membership},
    transport,
};

/// Commands that wait for the network task.
const COMMANDS_MAX: usize = 256;
/// A connection without a stream is superfluous; the link's stream keeps a useful one open for ever.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Connections to one peer, dying ones included.
const CONNECTIONS_PER_PEER_MAX: u32 = 8;
/// A predecessor that was killed a moment ago may still hold the port.
const PORT_TRIES: u32 = 20;
const PORT_PAUSE: Duration = Duration::from_millis(100);

/// Starts the network: one task that runs until [`Client::shutdown`], or until the [`Client`] or the [`Events`] are dropped.
///
/// Must be called within a tokio runtime with time and I/O enabled. Takes up to 2 s when a port is still taken.
///
/// # Errors
/// When the node cannot listen anywhere, or another program has one of its ports; nothing is left running then.
pub async fn start(config: Config) -> Result<(Client, Events), StartError> {
    let limits = &config.limits;
    if limits.frame_bytes_max > u32::MAX as usize {
        return Err(StartError::Limits("a frame's length has 32 bits".to_owned()));
    }
    for address in &config.listen {
        wait_for_port(address).await?;
    }
    let now = Instant::now();
    let me = config.keypair.public().to_peer_id();
    let revoked = config.revoked.iter().copied();
    let membership = Arc::new(Membership::new(&config.secret, me, revoked, limits.revoked_max));
    let transport = transport::build(&config.keypair, Arc::clone(&membership), limits)?;
    let (behaviour, mdns_problem) = behaviour(&config)?;
    let swarm_config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_TIMEOUT);
    let mut swarm = Swarm::new(transport, behaviour, me, swarm_config);
    let (listeners, mut news) = listen(&mut swarm, &config.listen, now)?;
    news.extend(mdns_problem.map(|error| Event::NoMdns { reason: error.to_string() }));
    let bytes_max = limits.inbox_bytes_max.max(limits.frame_bytes_max);
    let (inbox, events) = Inbox::new(limits.inbox_events_max, bytes_max);
    let (commands, commands_receiver) = mpsc::channel(COMMANDS_MAX);
    let shared = Arc::new(Shared::new(limits));
    let (incoming, kept) = exchange::channel();
    let client = Client::new(me, commands, Arc::clone(&shared), kept);
    let mut event_loop =
        EventLoop::new(swarm, membership, listeners, inbox, commands_receiver, shared, incoming, &config, now);
    event_loop.announce(news);
    tokio::spawn(event_loop.run());
    Ok((client, events))
}

fn behaviour(config: &Config) -> Result<(Behaviour, Option<io::Error>), StartError> {
    let limits = &config.limits;
    let me = config.keypair.public().to_peer_id();
    let prefix = membership::protocol_prefix(&config.secret);
    let protocol = |name: &str| {
        StreamProtocol::try_from_owned(format!("{prefix}/{name}/1"))
            .map_err(|error| StartError::Limits(error.to_string()))
    };
    let members = NonZeroUsize::new(limits.connections_max).unwrap_or(NonZeroUsize::MIN);
    let connections = u32::try_from(limits.connections_max.saturating_mul(3) / 2).unwrap_or(u32::MAX).max(1);
    let pending = u32::try_from(limits.pending_inbound_max).unwrap_or(u32::MAX);
    let mdns = discovery::mdns::build(me, config.mdns, limits);
    let behaviour = Behaviour {
        limits: connection_limits::Behaviour::new(
            ConnectionLimits::default()
                .with_max_pending_incoming(Some(pending))
                // Two for a peer while it moves from one connection to the next.
                .with_max_established(Some(connections.saturating_mul(2)))
                .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX)),
        ),
        links: link::streams::Behaviour::new(protocol("link")?, link::streams::WAITING_MAX),
        exchanges: link::streams::Behaviour::new(protocol("exchange")?, exchange::WAITING_MAX),
        gossip: gossip::build(&prefix, limits.gossip_bytes_max).map_err(StartError::Limits)?,
        identify: discovery::identify::build(&config.keypair, &prefix),
        kademlia: discovery::kademlia::build(me, protocol("kad")?, members),
        mdns_ipv4: mdns.ipv4,
        mdns_ipv6: mdns.ipv6,
    };
    Ok((behaviour, mdns.problem))
}

/// Opens all listeners. One that works is enough; the others are tried again later.
fn listen(
    swarm: &mut Swarm<Behaviour>,
    addresses: &[Multiaddr],
    now: Instant,
) -> Result<(Listeners, Vec<Event>), StartError> {
    let mut listeners = Listeners::default();
    let mut news = Vec::new();
    let mut first_problem = None;
    for address in addresses {
        match swarm.listen_on(address.clone()) {
            Ok(id) => listeners.opened(address.clone(), id),
            Err(error) => {
                listeners.failed(address.clone(), now);
                news.push(Event::NotListening { address: address.clone(), reason: error.to_string() });
                first_problem.get_or_insert((address.clone(), into_io(error)));
            }
        }
    }
    match first_problem {
        Some((address, reason)) if news.len() == addresses.len() => Err(StartError::Listen { address, reason }),
        None if addresses.is_empty() => Err(StartError::NoListenAddress),
        _ => Ok((listeners, news)),
    }
}

fn into_io(error: TransportError<io::Error>) -> io::Error {
    match error {
        TransportError::Other(error) => error,
        TransportError::MultiaddrNotSupported(_) => {
            io::Error::new(io::ErrorKind::Unsupported, "only /ip4 or /ip6 with /tcp")
        }
    }
}

/// Waits until nobody else listens on the port.
///
/// libp2p opens listeners so that several programs may share a port, and the system would deal incoming connections out among
/// them. A plain listener, opened for a moment, notices.
async fn wait_for_port(address: &Multiaddr) -> Result<(), StartError> {
    let Some((ip, port)) = discovery::addresses::tcp(address) else {
        return Ok(());
    };
    if port == 0 {
        return Ok(());
    }
    for _ in 0..PORT_TRIES {
        match probe(SocketAddr::new(ip, port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => tokio::time::sleep(PORT_PAUSE).await,
            // Any other trouble (no IPv6, no such interface) is for the real listener to report.
            Ok(()) | Err(_) => return Ok(()),
        }
    }
    Err(StartError::AddressInUse(address.clone()))
}

/// IPv6 alone: the plain listener of the standard library would also claim the IPv4 port, which is ours already.
fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) if address.ip().is_unspecified() => return Ok(()),
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1).map(drop)
}
