//! The key pair that *is* a device on the network: made once, kept by the caller, turned to bytes and back here.
//!
//! Knows nothing about files or their permissions.

use libp2p::identity::{DecodingError, Keypair};

/// The bytes are not an Ed25519 key pair written by [`encode`]. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("not an identity key: {0}")]
pub struct IdentityError(#[from] DecodingError);

/// A new identity from the system's randomness.
#[must_use]
pub fn generate() -> Keypair {
    Keypair::generate_ed25519()
}

/// The key pair as bytes (libp2p's protobuf form). They are the secret itself: store them 0600.
///
/// # Errors
/// When the key is of a kind this build cannot encode; never for one made by [`generate`].
pub fn encode(keypair: &Keypair) -> Result<Vec<u8>, IdentityError> {
    Ok(keypair.to_protobuf_encoding()?)
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// When the bytes are anything else.
pub fn decode(bytes: &[u8]) -> Result<Keypair, IdentityError> {
    Ok(Keypair::from_protobuf_encoding(bytes)?)
}
