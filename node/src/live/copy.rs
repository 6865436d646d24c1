//! Sends copies of what attempts here write to those that granted and accepted them: several times a second while there is something,
//! on one stream for each device, which is closed when there has been nothing for a while. What a device misses meanwhile is sent when
//! it is back, as far as it is still there.

use super::book::Key;
use super::wire::{Frame, Request};
use super::{Inner, Live, locked};
use crate::blobs::Stream;
use rc_scheduler::DeviceId;
use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// What is written within this time goes together.
const GATHER: Duration = Duration::from_millis(250);
/// A stream that has had nothing to carry for so long is closed.
const IDLE: Duration = Duration::from_secs(30);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(2);
/// For a part to be taken by the other end.
const SEND_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of one part.
const PART_BYTES: usize = 64 * 1024;

impl Live {
    /// There is something new for these devices.
    pub(super) fn copy(&self, key: Key, devices: &[DeviceId]) {
        if devices.is_empty() {
            return;
        }
        let mut due = locked(&self.0.due);
        for device in devices {
            let (bell, keys) = due.entry(*device).or_insert_with(|| {
                let bell = Arc::new(Notify::new());
                self.0.runtime.spawn(run(Arc::downgrade(&self.0), *device, bell.clone()));
                (bell, HashSet::new())
            });
            if keys.insert(key) {
                bell.notify_one();
            }
        }
    }

    fn take_due(&self, device: DeviceId) -> HashSet<Key> {
        locked(&self.0.due).get_mut(&device).map(|(_, keys)| std::mem::take(keys)).unwrap_or_default()
    }

    /// Nothing was due for a while; `false` if something is after all.
    fn retire(&self, device: DeviceId) -> bool {
        let mut due = locked(&self.0.due);
        let idle = due.get(&device).is_none_or(|(_, keys)| keys.is_empty());
        if idle {
            due.remove(&device);
        }
        idle
    }
}

async fn run(live: Weak<Inner>, device: DeviceId, bell: Arc<Notify>) {
    let mut stream = None;
    loop {
        let rang = timeout(IDLE, bell.notified()).await.is_ok();
        if rang {
            sleep(GATHER).await;
        }
        let Some(live) = live.upgrade().map(Live) else { return };
        if !rang && live.retire(device) {
            return;
        }
        if let Err(error) = send(&live, device, &mut stream).await {
            tracing::debug!(%device, %error, "a copy of what tasks write was not taken");
            stream = None;
            drop(live);
            sleep(PAUSE).await;
        }
    }
}

async fn send(live: &Live, device: DeviceId, stream: &mut Option<Box<dyn Stream>>) -> io::Result<()> {
    for key in live.take_due(device) {
        loop {
            let sent = locked(&live.0.book).sent(key, device);
            let Some((sent, reading)) = sent.and_then(|sent| Some((sent, live.read(key, sent, PART_BYTES)?))) else {
                break;
            };
            let done = reading.pieces.last().map_or(sent, |piece| piece.at + piece.bytes.len() as u64);
            let ends = reading.ended && done >= reading.end;
            if done == sent && !ends {
                break;
            }
            let mut out = Vec::new();
            Frame::About(key).encode(&mut out);
            reading.pieces.into_iter().for_each(|piece| Frame::Output(piece).encode(&mut out));
            if ends {
                Frame::End(reading.end).encode(&mut out);
            }
            let put = async {
                let stream = match stream {
                    Some(stream) => stream,
                    None => stream.insert(live.open(device, Request::Copy).await?),
                };
                stream.write_all(&out).await?;
                stream.flush().await
            };
            timeout(SEND_TIME_MAX, put).await.map_err(|_| io::ErrorKind::TimedOut)??;
            locked(&live.0.book).set_sent(key, device, done);
            if ends {
                break;
            }
        }
    }
    Ok(())
}
