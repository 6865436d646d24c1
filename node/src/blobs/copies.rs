//! Copies on purpose: other devices are asked to hold a blob, and it counts when they say that it is on their disks.

use super::fetch;
use super::service::Blobs;
use super::wire::Status;
use futures_util::stream::{FuturesUnordered, StreamExt};
use rc_scheduler::{BlobRef, DeviceId};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

impl Blobs {
    /// Has blobs that are here held by `copies` other devices, those in `prefer` first, and waits for that until `within` has passed.
    /// Returns the devices that have all of them.
    pub async fn replicate(
        &self,
        blobs: &[BlobRef],
        copies: usize,
        prefer: &[DeviceId],
        within: Duration,
    ) -> BTreeSet<DeviceId> {
        let deadline = Instant::now() + within;
        let linked = self.inner().network.linked();
        let preferred: Vec<_> = prefer.iter().copied().filter(|peer| linked.contains(peer)).collect();
        let others = linked.iter().copied().filter(|peer| !preferred.contains(peer));
        let mut candidates = preferred.iter().copied().chain(others);
        let mut under_way = FuturesUnordered::new();
        let mut holders = BTreeSet::new();
        while holders.len() < copies {
            while under_way.len() + holders.len() < copies {
                let Some(peer) = candidates.next() else { break };
                under_way.push(async move { (peer, self.hold_all(peer, blobs, deadline).await) });
            }
            match under_way.next().await {
                Some((peer, true)) => drop(holders.insert(peer)),
                Some((_, false)) => {}
                None => break,
            }
        }
        holders
    }

    /// Has blobs that are here held by these devices; returns those that have all of them within the time.
    pub async fn replicate_to(&self, blobs: &[BlobRef], to: &[DeviceId], within: Duration) -> BTreeSet<DeviceId> {
        let deadline = Instant::now() + within;
        let ask = |peer| async move { self.hold_all(peer, blobs, deadline).await.then_some(peer) };
        let held = futures_util::future::join_all(to.iter().copied().map(ask)).await;
        held.into_iter().flatten().collect()
    }

    async fn hold_all(&self, peer: DeviceId, blobs: &[BlobRef], deadline: Instant) -> bool {
        for blob in blobs {
            let left = deadline.saturating_duration_since(Instant::now());
            match fetch::ask_hold(&*self.inner().network, peer, *blob, left).await {
                Ok(Status::Here) => {}
                Ok(status) => {
                    tracing::info!(%peer, blob = %blob.hash, ?status, "a peer does not hold a blob");
                    return false;
                }
                Err(error) => {
                    tracing::info!(%peer, blob = %blob.hash, %error, "a peer does not hold a blob");
                    return false;
                }
            }
        }
        true
    }
}
