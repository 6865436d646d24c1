//! The membership proof: four messages of fixed size that convince both ends that the other holds the cluster's secret.
//!
//! ```text
//! initiator                      responder
//!   version, nonce a  ─────────▶
//!                     ◀─────────  version, nonce b
//!   proof(initiator)  ─────────▶              checked first: an outsider learns nothing from the responder
//!                     ◀─────────  proof(responder)
//! ```
//! A proof is blake3 keyed with a key derived from the secret over a domain, the role, both peer ids and both nonces. The peer
//! ids are those Noise has just authenticated, so a proof cannot be relayed or reflected; the nonces make every one unique, so
//! an outsider sees random bytes and cannot tell one cluster from another. A responder that is not convinced answers with
//! random bytes instead of hanging up: the initiator then knows for certain that it is not welcome and does not mistake a crash
//! for a refusal. Timeouts belong to the transport around it.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::PeerId;

use super::{AdmissionError, Membership};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 32;
const HELLO_BYTES: usize = 1 + NONCE_BYTES;
const DOMAIN: &[u8] = b"rcnode membership";

type Nonce = [u8; NONCE_BYTES];

#[derive(Clone, Copy)]
enum Role {
    Initiator = 1,
    Responder = 2,
}

fn nonce() -> Result<Nonce, AdmissionError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|error| AdmissionError::Io(std::io::Error::other(error)))?;
    Ok(nonce)
}

fn proof(key: &[u8; 32], role: Role, prover: &PeerId, verifier: &PeerId, nonces: (&Nonce, &Nonce)) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(DOMAIN).update(&[VERSION, role as u8]);
    for id in [prover, verifier] {
        let id = id.to_bytes();
        // Lengths keep two different pairs of ids from giving the same bytes.
        hasher.update(&(id.len() as u64).to_be_bytes()).update(&id);
    }
    hasher.update(nonces.0).update(nonces.1);
    hasher.finalize()
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Result<(), AdmissionError> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    Ok(())
}

async fn say_hello<S: AsyncWrite + Unpin>(stream: &mut S, nonce: &Nonce) -> Result<(), AdmissionError> {
    let mut hello = [VERSION; HELLO_BYTES];
    hello[1..].copy_from_slice(nonce);
    say(stream, &hello).await
}

async fn hear_hello<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Nonce, AdmissionError> {
    let mut version = [0; 1];
    stream.read_exact(&mut version).await?;
    if version != [VERSION] {
        return Err(AdmissionError::Version(version[0]));
    }
    let mut nonce = [0; NONCE_BYTES];
    stream.read_exact(&mut nonce).await?;
    Ok(nonce)
}

async fn hear_proof<S: AsyncRead + Unpin>(stream: &mut S) -> Result<blake3::Hash, AdmissionError> {
    let mut bytes = [0; blake3::OUT_LEN];
    stream.read_exact(&mut bytes).await?;
    Ok(blake3::Hash::from_bytes(bytes))
}

/// The side that dialled.
pub(super) async fn initiate<S>(stream: &mut S, membership: &Membership, peer: &PeerId) -> Result<(), AdmissionError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (key, me) = (&membership.key, &membership.me);
    if membership.is_revoked(peer) {
        return Err(AdmissionError::NotAMember(*peer));
    }
    let mine = nonce()?;
    say_hello(stream, &mine).await?;
    let theirs = hear_hello(stream).await?;
    let nonces = (&mine, &theirs);
    say(stream, proof(key, Role::Initiator, me, peer, nonces).as_bytes()).await?;
    // Comparing two `blake3::Hash` takes the same time wherever they differ.
    if hear_proof(stream).await? != proof(key, Role::Responder, peer, me, nonces) {
        return Err(AdmissionError::NotAMember(*peer));
    }
    Ok(())
}

/// The side that was dialled.
pub(super) async fn respond<S>(stream: &mut S, membership: &Membership, peer: &PeerId) -> Result<(), AdmissionError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (key, me) = (&membership.key, &membership.me);
    let theirs = hear_hello(stream).await?;
    let mine = nonce()?;
    say_hello(stream, &mine).await?;
    let nonces = (&theirs, &mine);
    let convinced = hear_proof(stream).await? == proof(key, Role::Initiator, peer, me, nonces);
    if !convinced || membership.is_revoked(peer) {
        say(stream, &nonce()?).await?;
        stream.close().await?;
        return Err(AdmissionError::NotAMember(*peer));
    }
    say(stream, proof(key, Role::Responder, me, peer, nonces).as_bytes()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::Secret;

    fn member(secret: u8) -> Membership {
        Membership::new(&Secret::from([secret; 32]), PeerId::random(), [], 8)
    }

    async fn meet(a: &Membership, b: &Membership) -> (Result<(), AdmissionError>, Result<(), AdmissionError>) {
        let (left, right) = tokio::io::duplex(256);
        let (mut left, mut right) = (Compat(left), Compat(right));
        tokio::join!(initiate(&mut left, a, &b.me), respond(&mut right, b, &a.me))
    }

    use compat::Compat;

    mod compat {
        //! futures' traits over tokio's in-memory pipe.
        use std::{
            io,
            pin::Pin,
            task::{Context, Poll, ready},
        };
        use tokio::io::{AsyncRead as _, AsyncWrite as _, DuplexStream, ReadBuf};

        pub(super) struct Compat(pub(super) DuplexStream);

        impl futures::AsyncRead for Compat {
            fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
                let mut buf = ReadBuf::new(buf);
                ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
                Poll::Ready(Ok(buf.filled().len()))
            }
        }

        impl futures::AsyncWrite for Compat {
            fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.0).poll_write(cx, buf)
            }
            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_flush(cx)
            }
            fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_shutdown(cx)
            }
        }
    }

    #[tokio::test]
    async fn the_same_secret_convinces_both() {
        let (a, b) = meet(&member(1), &member(1)).await;
        assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    }

    #[tokio::test]
    async fn another_secret_convinces_neither_and_both_know() {
        let (a, b) = meet(&member(1), &member(2)).await;
        assert!(matches!(a, Err(AdmissionError::NotAMember(_))), "{a:?}");
        assert!(matches!(b, Err(AdmissionError::NotAMember(_))), "{b:?}");
    }

    #[tokio::test]
    async fn a_revoked_member_is_an_outsider() {
        let (a, b) = (member(1), member(1));
        assert!(b.revoke(a.me));
        let (a, b) = meet(&a, &b).await;
        assert!(matches!((a, b), (Err(AdmissionError::NotAMember(_)), Err(AdmissionError::NotAMember(_)))));
    }

    #[test]
    fn a_proof_is_bound_to_role_ids_and_nonces() {
        let key = [7; 32];
        let (a, b) = (PeerId::random(), PeerId::random());
        let (m, n) = ([1; 32], [2; 32]);
        let base = proof(&key, Role::Initiator, &a, &b, (&m, &n));
        for other in [
            proof(&[8; 32], Role::Initiator, &a, &b, (&m, &n)),
            proof(&key, Role::Responder, &a, &b, (&m, &n)),
            proof(&key, Role::Initiator, &b, &a, (&m, &n)),
            proof(&key, Role::Initiator, &a, &b, (&n, &m)),
            proof(&key, Role::Initiator, &a, &b, (&m, &m)),
        ] {
            assert_ne!(base, other);
        }
    }
}
