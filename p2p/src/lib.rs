//! The network of rc-node: finds the members of **one** cluster and moves opaque, authenticated bytes between them.
//!
//! [`start`] spawns one task that owns the libp2p swarm. The [`Client`] puts frames and commands in; [`Events`] brings frames
//! and news out. Membership is proven on every connection before any protocol runs, so whoever appears in an [`Event`] holds
//! the cluster's secret.
//!
//! It does not know what a task, a device record or a lease is, and it keeps nothing on disk: what is worth remembering
//! ([`Event::Addresses`]) is handed to the caller, who hands it back in [`Config::known`].

mod behaviour;
mod client;
mod command;
mod config;
mod discovery;
mod error;
mod event;
mod event_loop;
mod exchange;
mod gossip;
pub mod identity;
mod inbox;
mod link;
mod listeners;
mod membership;
#[doc(hidden)]
pub mod parsers;
mod reachability;
mod stats;
mod swarm;
mod ticket;
mod transport;

pub use bytes::Bytes;
pub use client::Client;
pub use config::{Config, Limits};
pub use error::{CommandError, GossipError, OpenError, SendError, StartError};
pub use event::{Event, RejectReason};
pub use exchange::Incoming;
pub use inbox::Events;
pub use libp2p::{Multiaddr, PeerId, Stream, identity::Keypair, multiaddr};
pub use membership::Secret;
pub use stats::{PeerStats, Stats};
pub use swarm::start;
pub use ticket::{TICKET_ADDRESSES_MAX, Ticket, TicketError};
