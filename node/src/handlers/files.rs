//! `file_operation`: reads and changes files below the directories that the owner of the device allows, and no others.
//!
//! Paths are resolved one part at a time from an open directory (`cap-std`), so that neither `..` nor a symbolic link leads out,
//! whoever changes the tree meanwhile. Only regular files with one name are opened: a pipe would never end, a device is not a
//! file, and a second name may be a way to a file that lies elsewhere. What is written appears as a whole or not at all.

mod operations;
mod payload;
mod roots;

pub use roots::{Roots, RootsError};

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{ErrorClass, Permission, TaskContext, TaskError, TaskHandler};
use operations::{Read, failed};
use payload::{Content, FilePayload, Operation};
use roots::Place;

/// Longest file whose content is part of the result, bytes; a longer one becomes a blob.
const CONTENT_BYTES_MAX: u64 = 1 << 20;

/// The handler of `file_operation`.
pub struct FileOperation {
    roots: Arc<Roots>,
}

impl FileOperation {
    /// A handler for files below `roots`.
    pub fn new(roots: Arc<Roots>) -> Self {
        Self { roots }
    }
}

#[async_trait]
impl TaskHandler for FileOperation {
    fn task_type(&self) -> &str {
        "file_operation"
    }

    fn permissions(&self) -> &[Permission] {
        &[Permission::ReadFiles, Permission::WriteFiles]
    }

    // Not inline: a disk takes the time that it takes.

    async fn execute(&self, ctx: TaskContext, payload: Value) -> Result<Value, TaskError> {
        let FilePayload { operation, path } = FilePayload::read(&payload)?;
        let asked = &ctx.limits().sandbox;
        if asked.allow_filesystem == Some(false) {
            let message = "the task works on files, and its `sandbox` says that it shall reach none";
            return Err(TaskError::new(ErrorClass::PermissionDenied, message));
        }
        let narrowed =
            (!asked.allowed_paths.is_empty()).then(|| self.roots.narrowed(&asked.allowed_paths)).transpose()?;
        let roots = narrowed.as_ref().unwrap_or(&self.roots);
        let place = roots.place(&path)?;
        let bytes_max = ctx.limits().file_bytes_max;
        let done = match operation {
            Operation::Read { base64 } => return read(&ctx, &place, &path, base64).await,
            Operation::Write(content) => {
                let content = ready(&ctx, content).await?;
                operations::write(&place, &mut content.open()?, bytes_max)
            }
            Operation::Append(content) => {
                let content = ready(&ctx, content).await?;
                operations::append(&place, &mut content.open()?, bytes_max)
            }
            Operation::List => operations::list(&place),
            Operation::Stat => operations::stat(&place),
            Operation::Exists => operations::exists(&place),
            Operation::Mkdir { recursive } => operations::mkdir(&place, recursive),
            Operation::Copy { to, overwrite } => {
                operations::copy(&place, &roots.place(&to)?, overwrite, bytes_max).map(|done| with(done, &to))
            }
            Operation::Move { to, overwrite } => {
                operations::rename(&place, &roots.place(&to)?, overwrite, bytes_max).map(|done| with(done, &to))
            }
            Operation::Delete { recursive } => operations::delete(&place, recursive),
            Operation::Hash => operations::hash(&place, &ctx),
        };
        let mut done = done.map_err(|error| failed(&path, &error))?;
        done["path"] = path.into();
        Ok(done)
    }
}

/// What is written: bytes, or the file of a blob.
enum Ready {
    Bytes(Vec<u8>),
    File(std::path::PathBuf),
}

impl Ready {
    fn open(&self) -> Result<Box<dyn std::io::Read + '_>, TaskError> {
        match self {
            Self::Bytes(bytes) => Ok(Box::new(bytes.as_slice())),
            Self::File(path) => match std::fs::File::open(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) => Err(failed("the blob", &error)),
            },
        }
    }
}

fn with(mut done: Value, destination: &str) -> Value {
    done["destination"] = destination.into();
    done
}

/// Gets what is to be written.
async fn ready(ctx: &TaskContext, content: Content) -> Result<Ready, TaskError> {
    match content {
        Content::Bytes(bytes) => Ok(Ready::Bytes(bytes)),
        Content::Blob(hash) => ctx.blob(hash).await.map(Ready::File),
    }
}

async fn read(ctx: &TaskContext, place: &Place<'_>, path: &str, base64: bool) -> Result<Value, TaskError> {
    let bytes_max = ctx.limits().file_bytes_max;
    let read = operations::read(place, CONTENT_BYTES_MAX, bytes_max, base64).map_err(|e| failed(path, &e))?;
    match read {
        Read::Content { content, size, hash } => {
            Ok(json!({"path": path, "content": content, "size": size, "hash": hash}))
        }
        Read::Large { file, size } => {
            // Read only so far as was looked at: a file that grows meanwhile must not be followed for ever.
            let file = tokio::io::AsyncReadExt::take(tokio::fs::File::from_std(file), size);
            let blob = ctx.put_blob(file).await?;
            let hash = blob.hash.to_string();
            Ok(json!({"path": path, "content": null, "size": blob.bytes, "hash": hash, "blob": hash}))
        }
    }
}

/// Reads a payload. Only for those who throw bytes at it.
pub(super) fn hear(payload: &Value) {
    drop(payload::FilePayload::read(payload));
}

#[cfg(test)]
mod tests;
