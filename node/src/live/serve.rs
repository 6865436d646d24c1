//! Answers streams about attempts: tells followers what is and what comes, and takes copies from holders, and from nobody else.

use super::book::{Key, Reading};
use super::wire::{Frame, Request};
use super::{Live, locked};
use crate::blobs::Stream;
use rc_scheduler::DeviceId;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// For a request to arrive.
const ASK_TIME_MAX: Duration = Duration::from_secs(10);
/// For a part to be taken by a follower.
const SEND_TIME_MAX: Duration = Duration::from_secs(30);
/// For an attempt to begin that a follower has heard of before it is here.
const BEGIN_TIME_MAX: Duration = Duration::from_millis(500);
/// What is written within this time goes together, unless it is more than so many bytes.
const GATHER: Duration = Duration::from_millis(20);
const GATHER_BYTES: u64 = 16 * 1024;
/// Without anything said for so long, whoever leaves copies has gone; it closes its end long before.
const COPY_IDLE_MAX: Duration = Duration::from_secs(120);
/// Bytes read at a time.
const PART_BYTES: usize = 64 * 1024;

/// Serves one stream to its end.
pub(super) async fn serve(live: Live, peer: DeviceId, mut stream: Box<dyn Stream>) {
    let request = in_time(ASK_TIME_MAX, Request::read(&mut stream)).await;
    let served = match request {
        Ok(Request::Follow { key, from, stay }) => follow(&live, key, from, stay, &mut stream).await,
        Ok(Request::Copy) => copies(&live, peer, &mut stream).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "a stream about attempts broke");
    }
}

async fn in_time<T>(limit: Duration, what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, what).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
}

async fn send(stream: &mut Box<dyn Stream>, frames: &[Frame]) -> io::Result<()> {
    let mut out = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut out));
    let put = async {
        stream.write_all(&out).await?;
        stream.flush().await
    };
    in_time(SEND_TIME_MAX, put).await
}

/// The bell of an attempt, which may be about to begin if somebody wants to stay with it.
async fn bell(live: &Live, key: Key, stay: bool) -> Option<watch::Receiver<()>> {
    let until = Instant::now() + BEGIN_TIME_MAX;
    loop {
        let begun = live.0.begun.notified();
        tokio::pin!(begun);
        // Heard from here on, so that nothing begins between the look and the wait.
        begun.as_mut().enable();
        let bell = live.bell(key);
        if bell.is_some() || !stay || timeout_at(until, begun).await.is_err() {
            return bell;
        }
    }
}

/// Somebody who reads along, from now until this is dropped: what is written waits for him, within reason.
struct Along<'a> {
    live: &'a Live,
    key: Key,
    name: u64,
}

impl<'a> Along<'a> {
    fn new(live: &'a Live, key: Key, place: u64) -> Self {
        let along = Self { live, key, name: live.0.readers.fetch_add(1, Ordering::Relaxed) };
        along.at(place);
        along
    }

    fn at(&self, place: u64) {
        locked(&self.live.0.book).reader_at(self.key, self.name, place);
    }
}

impl Drop for Along<'_> {
    fn drop(&mut self) {
        locked(&self.live.0.book).reader_left(self.key, self.name);
    }
}

async fn follow(live: &Live, key: Key, mut from: u64, stay: bool, stream: &mut Box<dyn Stream>) -> io::Result<()> {
    let Ok(_turn) = live.0.followers.try_acquire() else { return send(stream, &[Frame::Absent]).await };
    let Some(mut bell) = bell(live, key, stay).await else { return send(stream, &[Frame::Absent]).await };
    let mut told = None;
    let along = stay.then(|| Along::new(live, key, from));
    loop {
        bell.mark_unchanged();
        let Some(reading) = live.read(key, from, PART_BYTES) else {
            // One that ran here goes at once when it has written nothing; a copy goes when there is no room for it.
            let ended = told.is_some() && from == 0;
            return send(stream, &[if ended { Frame::End(0) } else { Frame::Absent }]).await;
        };
        let mut frames = Vec::new();
        if told.as_ref() != Some(&reading.state) {
            frames.push(Frame::State(reading.state.clone()));
            told = Some(reading.state);
        }
        let more = !reading.pieces.is_empty();
        from = reading.pieces.last().map_or(from, |piece| piece.at + piece.bytes.len() as u64);
        frames.extend(reading.pieces.into_iter().map(Frame::Output));
        let done = !more && (reading.ended || !stay);
        if done {
            frames.push(if reading.ended { Frame::End(reading.end) } else { Frame::Open(reading.end) });
        }
        send(stream, &frames).await?;
        if let Some(along) = &along {
            along.at(from);
        }
        if done {
            return stream.shutdown().await;
        }
        if more {
            continue;
        }
        tokio::select! {
            // Says nothing more; what comes is that it has gone.
            _ = stream.read_u8() => return Ok(()),
            // An error means that it has ended, which the next look finds out.
            changed = bell.changed() => {
                let little = |reading: Reading| !reading.ended && reading.end.saturating_sub(from) < GATHER_BYTES;
                if changed.is_ok() && live.read(key, from, 0).is_some_and(little) {
                    sleep(GATHER).await;
                }
            }
        }
    }
}

async fn copies(live: &Live, peer: DeviceId, stream: &mut Box<dyn Stream>) -> io::Result<()> {
    let Ok(_turn) = live.0.copying.try_acquire() else { return Ok(()) };
    let mut about = None;
    loop {
        match in_time(COPY_IDLE_MAX, Frame::read(stream)).await {
            Ok(Frame::About(key)) => {
                let holder = match live.0.driver.get() {
                    Some(driver) => driver.holder(key.0, key.1).await,
                    None => None,
                };
                about = (holder == Some(peer)).then_some(key);
            }
            Ok(Frame::Output(piece)) => {
                if let Some(key) = about {
                    locked(&live.0.book).take(key, piece);
                }
            }
            Ok(Frame::End(_)) => {
                if let Some(key) = about {
                    locked(&live.0.book).end(key, false);
                }
            }
            Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame that has no place here")),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
