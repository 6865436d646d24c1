//! Answers what peers ask of this store. A peer that does not read, or says nothing, loses its stream; too many at once are told so.

use super::network::Stream;
use super::service::Blobs;
use super::wire::{self, Request, Status};
use rc_scheduler::DeviceId;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// For a request to arrive, and between two groups asked for.
const ASK_TIME_MAX: Duration = Duration::from_secs(60);
/// For a group to be taken: 256 KiB at 4 KiB/s.
const SEND_TIME_MAX: Duration = Duration::from_secs(64);
/// The longest that anybody is waited for who wants a blob held.
const HOLD_TIME_MAX: Duration = Duration::from_secs(1800);

/// Serves one stream to its end.
pub(super) async fn serve(blobs: Blobs, peer: DeviceId, mut stream: Box<dyn Stream>) {
    if let Err(error) = answer(&blobs, peer, &mut stream).await {
        tracing::debug!(%peer, %error, "an exchange broke");
    }
}

async fn in_time<T>(limit: Duration, what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, what).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
}

async fn answer(blobs: &Blobs, peer: DeviceId, stream: &mut Box<dyn Stream>) -> io::Result<()> {
    match in_time(ASK_TIME_MAX, wire::read_request(stream)).await? {
        Request::Get { hash } => {
            let Ok(_turn) = blobs.inner().serving.try_acquire() else {
                return wire::send_status(stream, Status::Busy).await;
            };
            let store = blobs.inner().store.clone();
            let Ok(mut opened) = blobs.blocking(move || store.read(&hash)).await else {
                return wire::send_status(stream, Status::Absent).await;
            };
            in_time(SEND_TIME_MAX, wire::send_head(stream, opened.blob().bytes, &opened.list())).await?;
            while let Some(group) = in_time(ASK_TIME_MAX, wire::read_ask(stream)).await? {
                if group >= opened.groups() {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a group beyond the end"));
                }
                let read = move || {
                    let data = opened.group(group);
                    (opened, data)
                };
                let (back, data) = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?;
                opened = back;
                in_time(SEND_TIME_MAX, wire::send_group(stream, data.as_deref().ok())).await?;
            }
            Ok(())
        }
        Request::Hold { blob, wait } => {
            let Ok(_turn) = blobs.inner().holding.try_acquire() else {
                return wire::send_status(stream, Status::Busy).await;
            };
            let held = timeout(wait.min(HOLD_TIME_MAX), blobs.fetch_from(blob, &[peer])).await;
            let status = match held {
                Ok(Ok(())) => Status::Here,
                Ok(Err(error)) if error.is_full() => Status::Full,
                Ok(Err(error)) => {
                    tracing::debug!(%peer, blob = %blob.hash, %error, "cannot hold a blob for a peer");
                    Status::Absent
                }
                Err(_) => Status::Absent,
            };
            wire::send_status(stream, status).await
        }
    }
}
