//! Reads out of libp2p's nested errors what a failed attempt means.

use std::{
    error::Error,
    io::{self, ErrorKind},
};

use libp2p::{Multiaddr, PeerId, TransportError, core::upgrade::NegotiationError, swarm::DialError};

use crate::membership::AdmissionError;

/// Wrappers around the innermost error; a chain longer than this is not one of ours.
const DEPTH_MAX: usize = 16;

/// What a failed attempt means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The hosts at all tried addresses answered that nothing listens there.
    Refused,
    /// Some accepted the connection and dropped it at once, the others refused. A process that is being killed looks like this
    /// for a moment: its connections close before its listener does.
    HungUp,
    /// At least one attempt ended in another way.
    Unreachable,
    /// The peer is not in our cluster, or we are not welcome.
    NotAMember,
    /// Another peer (perhaps ourselves) lives at this address.
    SomebodyElse(Multiaddr),
}

impl From<&DialError> for Outcome {
    fn from(error: &DialError) -> Self {
        match error {
            DialError::LocalPeerId { address } | DialError::WrongPeerId { address, .. } => {
                Self::SomebodyElse(super::bootstrap::without_peer(address))
            }
            DialError::Transport(attempts) => {
                let causes = || attempts.iter().map(|(_, error)| cause(error));
                if causes().flatten().any(|error| outsider(error).is_some()) {
                    Self::NotAMember
                } else if attempts.is_empty()
                    || !causes().all(|error| error.is_some_and(|e| is_refused(e) || is_hung_up(e)))
                {
                    Self::Unreachable
                } else if causes().flatten().all(is_refused) {
                    Self::Refused
                } else {
                    Self::HungUp
                }
            }
            DialError::NoAddresses
            | DialError::DialPeerConditionFalse(_)
            | DialError::Aborted
            | DialError::Denied { .. } => Self::Unreachable,
        }
    }
}

fn cause(error: &TransportError<io::Error>) -> Option<&io::Error> {
    match error {
        TransportError::Other(error) => Some(error),
        TransportError::MultiaddrNotSupported(_) => None,
    }
}

/// The peer whose membership proof failed somewhere below this error.
pub(crate) fn outsider(error: &io::Error) -> Option<PeerId> {
    find_cause(error, |cause| match cause.downcast_ref() {
        Some(AdmissionError::NotAMember(peer)) => Some(*peer),
        _ => None,
    })
}

fn is_refused(error: &io::Error) -> bool {
    has_kind(error, |kind| kind == ErrorKind::ConnectionRefused)
}

fn is_hung_up(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    let negotiation_cut_short = |cause: &(dyn Error + 'static)| {
        // How the first negotiation on a connection reports that the other side has closed it.
        matches!(cause.downcast_ref(), Some(NegotiationError::Failed)).then_some(())
    };
    has_kind(error, |kind| {
        matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
    }) || find_cause(error, negotiation_cut_short).is_some()
}

fn has_kind(error: &io::Error, wanted: impl Fn(ErrorKind) -> bool) -> bool {
    let matching = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| wanted(error.kind())).then_some(())
    };
    find_cause(error, matching).is_some()
}

fn find_cause<T>(error: &(dyn Error + 'static), found: impl Fn(&(dyn Error + 'static)) -> Option<T>) -> Option<T> {
    let mut next = Some(error);
    for _ in 0..DEPTH_MAX {
        let error = next?;
        if let Some(found) = found(error) {
            return Some(found);
        }
        // An io::Error's source is its content's source: the content itself has to be asked for.
        let content = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match content {
            Some(content) => Some(content),
            None => error.source(),
        };
    }
    None
}
