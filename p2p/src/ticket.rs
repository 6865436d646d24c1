//! An invitation as text: the cluster's secret and a few addresses to begin with.
//!
//! `rc1` + base32 (lower case, no padding) of `length u16 | secret 32 | count u8 | (length u8, multiaddr)… | checksum 4`, all
//! big-endian; the checksum is the head of blake3 over everything before it. The digit is the version. Case does not matter when
//! reading, so a QR code may use its compact upper-case mode. Knows nothing about who is invited or for how long.

use std::{fmt, str::FromStr};

use libp2p::Multiaddr;

use crate::membership::Secret;

mod base32;
#[cfg(test)]
mod tests;

/// More addresses than this make a code nobody wants to scan.
pub const TICKET_ADDRESSES_MAX: usize = 4;

const VERSION: char = '1';
const LENGTH_BYTES: usize = 2;
const SECRET_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;
/// Longest text that is looked at; a ticket with four of the longest addresses is below it.
const TEXT_BYTES_MAX: usize = 2048;

/// An invitation to a cluster. Its text is the cluster's key: show it only to whom you invite.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    secret: Secret,
    addresses: Vec<Multiaddr>,
}

/// The text is not a usable ticket; nothing was read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// It does not start like one, or is far too long.
    #[error("this is not a ticket (it would start with \"rc1\")")]
    NotATicket,
    /// It was made by a version of the program that this one does not understand.
    #[error("this ticket has version {0}, this program reads version 1")]
    OtherVersion(char),
    /// A character that no ticket contains.
    #[error("character {position} of the ticket cannot be part of one")]
    Character {
        /// Counted from 1.
        position: usize,
    },
    /// The end is missing.
    #[error("the ticket is cut off")]
    Truncated,
    /// Some characters are wrong, or there are too many.
    #[error("the ticket has a typing error (its checksum does not match)")]
    Checksum,
    /// The checksum is right and the content still makes no sense.
    #[error("the ticket's content is malformed")]
    Malformed,
}

impl Ticket {
    /// A ticket; of the addresses the first [`TICKET_ADDRESSES_MAX`] are kept, and none longer than 255 bytes.
    #[must_use]
    pub fn new(secret: Secret, addresses: impl IntoIterator<Item = Multiaddr>) -> Self {
        let short = |address: &Multiaddr| u8::try_from(address.len()).is_ok();
        Self { secret, addresses: addresses.into_iter().filter(short).take(TICKET_ADDRESSES_MAX).collect() }
    }

    /// The cluster's secret.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Where to begin.
    #[must_use]
    pub fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }

    fn body(&self) -> Vec<u8> {
        let mut body = self.secret.as_bytes().to_vec();
        body.push(self.addresses.len() as u8);
        for address in &self.addresses {
            body.push(address.len() as u8);
            body.extend_from_slice(address.as_ref());
        }
        body
    }

    fn from_body(body: &[u8]) -> Option<Self> {
        let (secret, rest) = body.split_first_chunk::<SECRET_BYTES>()?;
        let (&count, mut rest) = rest.split_first()?;
        if usize::from(count) > TICKET_ADDRESSES_MAX {
            return None;
        }
        let mut addresses = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let (&length, tail) = rest.split_first()?;
            let (address, tail) = tail.split_at_checked(usize::from(length))?;
            addresses.push(Multiaddr::try_from(address.to_vec()).ok()?);
            rest = tail;
        }
        rest.is_empty().then(|| Self { secret: Secret::from(*secret), addresses })
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body();
        let mut bytes = (body.len() as u16).to_be_bytes().to_vec();
        bytes.extend_from_slice(&body);
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(&checksum.as_bytes()[..CHECKSUM_BYTES]);
        write!(f, "rc{VERSION}{}", base32::encode(&bytes))
    }
}

/// Never shows the secret: tickets end up in logs by way of `{:?}`.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        let text = text.trim();
        let head = text.get(..2).ok_or(TicketError::NotATicket)?;
        if !head.eq_ignore_ascii_case("rc") || text.len() > TEXT_BYTES_MAX {
            return Err(TicketError::NotATicket);
        }
        let mut rest = text[2..].chars();
        match rest.next() {
            Some(VERSION) => {}
            Some(other) if other.is_ascii_digit() => return Err(TicketError::OtherVersion(other)),
            Some(_) => return Err(TicketError::NotATicket),
            None => return Err(TicketError::Truncated),
        }
        let decoded = base32::decode(rest.as_str()).map_err(|index| TicketError::Character { position: index + 4 })?;
        let bytes = decoded.bytes;
        let (length, _) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or(TicketError::Truncated)?;
        let checked = LENGTH_BYTES + usize::from(u16::from_be_bytes(*length));
        let expected = checked + CHECKSUM_BYTES;
        if bytes.len() < expected {
            return Err(TicketError::Truncated);
        }
        let (content, checksum) = bytes.split_at(checked);
        if !decoded.canonical
            || bytes.len() > expected
            || blake3::hash(content).as_bytes()[..CHECKSUM_BYTES] != *checksum
        {
            return Err(TicketError::Checksum);
        }
        Self::from_body(&content[LENGTH_BYTES..]).ok_or(TicketError::Malformed)
    }
}
