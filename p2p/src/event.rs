//! What the network tells its caller.

use libp2p::{Multiaddr, PeerId};

/// News and data, in the order in which they happened to each peer.
///
/// For one peer: `Up`, frames, `Down`, perhaps `Refused` or `Unreachable`, `Up` again. Frames between an `Up` and its `Down`
/// arrive in the order they were sent and without gaps; none of them arrives after that `Down`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Others can reach this node here.
    Listening(Multiaddr),
    /// No longer, or not at all. If it was asked for, it is tried again on its own.
    NotListening {
        /// The address that went away or could not be used.
        address: Multiaddr,
        /// What the system said.
        reason: String,
    },
    /// Multicast DNS does not work on this system; everything else does.
    NoMdns {
        /// What the system said.
        reason: String,
    },
    /// A link to this member is usable, both ways.
    Up {
        /// The member.
        peer: PeerId,
        /// Its end of the connection: what was dialled, or where it called from.
        address: Multiaddr,
    },
    /// The link is gone. Attempts to reach the peer again go on until it is `Up`.
    Down {
        /// The member.
        peer: PeerId,
    },
    /// Proof of death: the host at every address where the peer lived answers, and nothing listens there any more.
    /// Follows a `Down` within milliseconds of a crash; also the first answer about each of `Config::known`.
    Refused {
        /// The member.
        peer: PeerId,
    },
    /// An attempt to reach the peer failed without proof of anything.
    Unreachable {
        /// The member.
        peer: PeerId,
    },
    /// One frame from a member's link.
    Frame {
        /// Who sent it.
        from: PeerId,
        /// As it was given to [`crate::Client::send`].
        bytes: Vec<u8>,
    },
    /// One gossip message. Its author is some member; only the one that passed it on is known.
    Gossip {
        /// Who passed it on.
        via: PeerId,
        /// As it was given to [`crate::Client::gossip`].
        bytes: Vec<u8>,
    },
    /// Where a member can be reached, most useful first: worth keeping for `Config::known`.
    Addresses {
        /// The member.
        peer: PeerId,
        /// Replaces what was said before.
        addresses: Vec<Multiaddr>,
    },
    /// Something at this address was turned away, or turned us away.
    Rejected {
        /// Where.
        address: Multiaddr,
        /// Why.
        reason: RejectReason,
    },
}

/// Why something was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectReason {
    /// An address of `Config::peers` belongs to another cluster, or we are not welcome there.
    NotAMember,
    /// A member announced a frame above `Limits::frame_bytes_max` and lost its link.
    FrameTooLarge,
}
