//! Who belongs to the cluster: the shared secret, what is derived from it, and whom the owner has turned out.
//!
//! The secret itself never travels and names nothing on the wire: protocol names and proofs come from separate derived keys.
//! Knows nothing about connections; [`admission`] puts the proof into the transport.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{PoisonError, RwLock},
};

use libp2p::PeerId;

pub(crate) mod admission;
mod proof;

pub(crate) use admission::{Admission, AdmissionError};

/// What the members of one cluster share: 32 random bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A new cluster's secret from the system's randomness.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn generate() -> Result<Self, std::io::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(bytes))
    }

    /// The bytes, to be stored 0600.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Secret {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Never shows the bytes.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The cluster as one of its members sees it.
pub(crate) struct Membership {
    key: [u8; 32],
    me: PeerId,
    revoked: RwLock<BTreeSet<PeerId>>,
    revoked_max: usize,
}

impl Membership {
    pub(crate) fn new(
        secret: &Secret,
        me: PeerId,
        revoked: impl IntoIterator<Item = PeerId>,
        revoked_max: usize,
    ) -> Self {
        Self {
            key: blake3::derive_key("rcnode 2026-11 membership proof v1", &secret.0),
            me,
            revoked: RwLock::new(revoked.into_iter().take(revoked_max).collect()),
            revoked_max,
        }
    }

    pub(crate) fn me(&self) -> PeerId {
        self.me
    }

    pub(crate) fn is_revoked(&self, peer: &PeerId) -> bool {
        self.revoked.read().unwrap_or_else(PoisonError::into_inner).contains(peer)
    }

    /// False when the table is full.
    pub(crate) fn revoke(&self, peer: PeerId) -> bool {
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        let room = revoked.len() < self.revoked_max;
        if room {
            revoked.insert(peer);
        }
        room
    }

    pub(crate) fn allow(&self, peer: &PeerId) {
        self.revoked.write().unwrap_or_else(PoisonError::into_inner).remove(peer);
    }
}

/// The cluster's part of protocol names, `/rcnode/<8 hex>`: members of two clusters could not even talk by accident.
pub(crate) fn protocol_prefix(secret: &Secret) -> String {
    let name = blake3::Hash::from(blake3::derive_key("rcnode 2026-11 cluster name v1", &secret.0)).to_hex();
    format!("/rcnode/{}", &name[..8])
}

/// Meets a visitor who says these bytes, as the one that is called and as the one that calls; nobody without the secret is let in. Only
/// for those who throw bytes at it.
pub(crate) fn hear(bytes: &[u8]) {
    use crate::parsers::{Told, at_once};
    let (me, peer) = (PeerId::random(), PeerId::random());
    let membership = Membership::new(&Secret::from([7; 32]), me, [], 1);
    assert!(at_once(proof::respond(&mut Told(bytes), &membership, &peer)).is_err(), "let in");
    assert!(at_once(proof::initiate(&mut Told(bytes), &membership, &peer)).is_err(), "believed");
}
