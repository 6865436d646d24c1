//! Large data for handlers: files to read, and bytes to leave behind that are too long for a result.

use super::{ErrorClass, TaskContext, TaskError};
use crate::blobs::{BlobError, Blobs};
use async_trait::async_trait;
use rc_scheduler::{BLOBS_PER_TASK_MAX, BlobHash, BlobRef};
use std::path::PathBuf;
use tokio::io::AsyncRead;

/// A way to a node's blobs.
#[async_trait]
pub trait BlobAccess: Send + Sync {
    /// A file with the blob's bytes, not to be changed; fetched first if it is not here.
    async fn file(&self, hash: BlobHash) -> Result<PathBuf, BlobError>;
    /// Stores all that a source gives.
    async fn put(&self, source: &mut (dyn AsyncRead + Send + Unpin)) -> Result<BlobRef, BlobError>;
}

#[async_trait]
impl BlobAccess for Blobs {
    async fn file(&self, hash: BlobHash) -> Result<PathBuf, BlobError> {
        Self::file(self, hash).await
    }

    async fn put(&self, source: &mut (dyn AsyncRead + Send + Unpin)) -> Result<BlobRef, BlobError> {
        Self::put(self, source, None, u64::MAX).await
    }
}

fn failed(error: BlobError) -> TaskError {
    let class = match error {
        _ if error.is_full() => ErrorClass::ResourceExhausted,
        BlobError::Missing { .. } => ErrorClass::NetworkError,
        _ => ErrorClass::ResourceExhausted,
    };
    TaskError::new(class, error.to_string())
}

impl TaskContext {
    /// The file of a blob, checked against its hash; fetched from other devices if it is not here. To be read only. It stays while a
    /// task names it, so name it in the task's `blobs`.
    ///
    /// # Errors
    /// No device that answers has it, or there is no room: a retryable class. A context without a node has no blobs.
    pub async fn blob(&self, hash: BlobHash) -> Result<PathBuf, TaskError> {
        self.access()?.file(hash).await.map_err(failed)
    }

    /// Leaves a blob behind, however long: read to the end of the source, with little memory. It is kept with the task and copied to
    /// another device before the end of the attempt is reported; say its hash in the result so that somebody finds it.
    ///
    /// # Errors
    /// There is no room, the source fails, or the attempt has made too many.
    pub async fn put_blob(&self, mut source: impl AsyncRead + Send + Unpin) -> Result<BlobRef, TaskError> {
        if self.made().len() >= BLOBS_PER_TASK_MAX {
            let message = format!("an attempt makes at most {BLOBS_PER_TASK_MAX} blobs");
            return Err(TaskError::new(ErrorClass::ResourceExhausted, message));
        }
        let blob = self.access()?.put(&mut source).await.map_err(failed)?;
        self.made().push(blob);
        Ok(blob)
    }

    fn access(&self) -> Result<&std::sync::Arc<dyn BlobAccess>, TaskError> {
        let none = || TaskError::new(ErrorClass::UnsupportedOperation, "there are no blobs here");
        self.blobs().ok_or_else(none)
    }
}
