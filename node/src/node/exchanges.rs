//! Streams that members open beside their link: to whom each goes, by its first byte.

use crate::blobs::{Blobs, Stream, accept};
use crate::policy::{EXCHANGE_KIND, PolicyHandle, serve_order};
use rc_p2p::Incoming;
use rc_scheduler::DeviceId;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// For the first byte to come.
const FIRST_TIME_MAX: Duration = Duration::from_secs(60);

/// Serves them until the network ends.
pub(super) async fn serve(mut incoming: Incoming, blobs: Blobs, policy: PolicyHandle) {
    while let Some((peer, stream)) = accept(&mut incoming).await {
        tokio::spawn(hand_on(peer, stream, blobs.clone(), policy.clone()));
    }
}

async fn hand_on(peer: DeviceId, stream: Box<dyn Stream>, blobs: Blobs, policy: PolicyHandle) {
    // Looks at one byte and leaves it there; all further reads go past the buffer.
    let mut stream = BufReader::with_capacity(1, stream);
    let first = tokio::time::timeout(FIRST_TIME_MAX, stream.fill_buf()).await;
    match first.ok().and_then(Result::ok).and_then(<[u8]>::first) {
        Some(&EXCHANGE_KIND) => {
            if stream.read_u8().await.is_ok() {
                serve_order(policy, peer, Box::new(stream)).await;
            }
        }
        Some(_) => blobs.serve_stream(peer, Box::new(stream)),
        None => tracing::debug!(%peer, "an exchange ended before it began"),
    }
}
