//! Keeps a process's pipes moving: everything it writes is read, whether it is kept or not, so that it never blocks on
//! us, and its stdin is fed beside that, so that neither side waits for the other.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::super::{Stream, TaskContext};
use crate::sandbox::{PIPE_GRACE, Process};

/// Small, because whoever listens live may have a thousand of them waiting.
const CHUNK_BYTES: usize = 8 * 1024;

/// Between two looks whether those who read along have caught up.
const PAUSE: Duration = Duration::from_millis(2);

/// What a process reads.
#[derive(Debug)]
pub(super) enum Feed {
    Bytes(Vec<u8>),
    File(PathBuf),
}

async fn feed(path: &Path, pipe: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut file = tokio::fs::File::open(path).await?;
    tokio::io::copy(&mut file, pipe).await.map(drop)
}

/// The tasks that read and write. Dropping them ends them.
pub(super) struct Pumps {
    readers: Vec<JoinHandle<()>>,
    /// The process has ended: what is left in the pipes fits wherever it goes, and is not worth waiting for.
    ended: Arc<AtomicBool>,
    writer: Option<JoinHandle<()>>,
}

impl Pumps {
    /// Takes the pipes of a process and moves their content until they close.
    pub(super) fn start(ctx: &TaskContext, process: &mut Process, input: Option<Feed>) -> Self {
        let mut readers = Vec::with_capacity(2);
        let ended = Arc::new(AtomicBool::new(false));
        let (out, err) = (process.stdout.take(), process.stderr.take());
        readers.extend(out.map(|pipe| tokio::spawn(read(ctx.clone(), Stream::Stdout, pipe, ended.clone()))));
        readers.extend(err.map(|pipe| tokio::spawn(read(ctx.clone(), Stream::Stderr, pipe, ended.clone()))));
        let writer = process.stdin.take().zip(input).map(|(mut pipe, input)| {
            tokio::spawn(async move {
                // A process that does not want all of its input is free not to read it.
                let _ = match input {
                    Feed::Bytes(bytes) => pipe.write_all(&bytes).await,
                    Feed::File(path) => feed(&path, &mut pipe).await,
                };
            })
        });
        Self { readers, ended, writer }
    }

    /// Reads on until the pipes close, but not for longer than [`PIPE_GRACE`]. Returns whether they did.
    pub(super) async fn finish(mut self) -> bool {
        self.ended.store(true, Ordering::Relaxed);
        let until = Instant::now() + PIPE_GRACE;
        let mut closed = true;
        for reader in &mut self.readers {
            closed &= timeout_at(until, reader).await.is_ok();
        }
        closed
    }
}

impl Drop for Pumps {
    fn drop(&mut self) {
        self.readers.iter().chain(&self.writer).for_each(JoinHandle::abort);
    }
}

async fn read(ctx: TaskContext, stream: Stream, mut pipe: impl AsyncRead + Unpin, ended: Arc<AtomicBool>) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(n @ 1..) = pipe.read(&mut chunk).await {
        ctx.output(stream, &chunk[..n]);
        // Whoever reads along and is a little slower loses nothing, and the process writes no faster than that.
        while !ended.load(Ordering::Relaxed) && !ctx.has_room() {
            sleep(PAUSE).await;
        }
    }
}
