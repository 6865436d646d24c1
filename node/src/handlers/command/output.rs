//! Keeps a process's pipes moving: everything it writes is read, whether it is kept or not, so that it never blocks on
//! us, and its stdin is fed beside that, so that neither side waits for the other.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::super::{Stream, TaskContext};
use crate::sandbox::{PIPE_GRACE, Process};

/// Small, because whoever listens live may have a thousand of them waiting.
const CHUNK_BYTES: usize = 8 * 1024;

/// The tasks that read and write. Dropping them ends them.
pub(super) struct Pumps {
    readers: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
}

impl Pumps {
    /// Takes the pipes of a process and moves their content until they close.
    pub(super) fn start(ctx: &TaskContext, process: &mut Process, input: Option<Vec<u8>>) -> Self {
        let mut readers = Vec::with_capacity(2);
        readers.extend(process.stdout.take().map(|pipe| tokio::spawn(read(ctx.clone(), Stream::Stdout, pipe))));
        readers.extend(process.stderr.take().map(|pipe| tokio::spawn(read(ctx.clone(), Stream::Stderr, pipe))));
        let writer = process.stdin.take().zip(input).map(|(mut pipe, input)| {
            tokio::spawn(async move {
                // A process that does not want all of its input is free not to read it.
                let _ = pipe.write_all(&input).await;
            })
        });
        Self { readers, writer }
    }

    /// Reads on until the pipes close, but not for longer than [`PIPE_GRACE`]. Returns whether they did.
    pub(super) async fn finish(mut self) -> bool {
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

async fn read(ctx: TaskContext, stream: Stream, mut pipe: impl AsyncRead + Unpin) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(n @ 1..) = pipe.read(&mut chunk).await {
        ctx.output(stream, &chunk[..n]);
    }
}
