//! What is written together: puts, deletes and removals, with their limits checked on the way in.
//!
//! Knows nothing about files. A batch that exists can be written; only the disk can refuse it.

use super::frame::{Content, Kind};

/// A task id: opaque here.
pub type TaskKey = [u8; 16];

/// Longest sub key, and longest name of a cell, in bytes.
pub const KEY_BYTES_MAX: usize = 64;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 4 << 20;
/// Most bytes that one batch may take on disk. A little more than one largest value, so that a commit stays short.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// Something too large for the log. The batch is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// A sub key or cell name above [`KEY_BYTES_MAX`].
    #[error("a key of {0} bytes; the limit is {KEY_BYTES_MAX}")]
    Key(usize),
    /// A value above [`VALUE_BYTES_MAX`].
    #[error("a value of {0} bytes; the limit is {VALUE_BYTES_MAX}")]
    Value(usize),
    /// The batch would grow above [`BATCH_BYTES_MAX`].
    #[error("a batch of {0} bytes; the limit is {BATCH_BYTES_MAX}")]
    Batch(usize),
}

/// One change. Its key and its value lie one behind the other in the batch's data, up to here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Op {
    kind: Kind,
    task: TaskKey,
    key_bytes: usize,
    end: usize,
}

/// An ordered list of changes that become durable together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    ops: Vec<Op>,
    data: Vec<u8>,
    bytes: usize,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes one entry of a task; an older one under the same key is replaced.
    pub fn put(&mut self, task: TaskKey, key: &[u8], value: &[u8]) -> Result<(), LimitError> {
        self.push(Kind::Put, task, key, value)
    }

    /// Removes one entry of a task.
    pub fn delete(&mut self, task: TaskKey, key: &[u8]) -> Result<(), LimitError> {
        self.push(Kind::Delete, task, key, &[])
    }

    /// Removes a task with all its entries.
    pub fn remove_task(&mut self, task: TaskKey) -> Result<(), LimitError> {
        self.push(Kind::Remove, task, &[], &[])
    }

    /// Writes a named cell. Cells stay in memory: few and small.
    pub fn put_cell(&mut self, name: &str, value: &[u8]) -> Result<(), LimitError> {
        self.push(Kind::CellPut, TaskKey::default(), name.as_bytes(), value)
    }

    /// Removes a named cell.
    pub fn delete_cell(&mut self, name: &str) -> Result<(), LimitError> {
        self.push(Kind::CellDelete, TaskKey::default(), name.as_bytes(), &[])
    }

    /// Appends the changes of `other`; gives it back if together they are too large.
    pub fn merge(&mut self, other: Batch) -> Result<(), Batch> {
        if self.bytes + other.bytes > BATCH_BYTES_MAX {
            return Err(other);
        }
        self.bytes += other.bytes;
        let start = self.data.len();
        self.data.extend_from_slice(&other.data);
        self.ops.extend(other.ops.into_iter().map(|op| Op { end: start + op.end, ..op }));
        Ok(())
    }

    /// True if there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Bytes that this batch takes on disk.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// True if the batch only takes away. Such a batch may use the reserve of a full disk.
    pub(super) fn only_removes(&self) -> bool {
        !self.ops.iter().any(|op| matches!(op.kind, Kind::Put | Kind::CellPut))
    }

    pub(super) fn contents(&self) -> impl Iterator<Item = Content<'_>> {
        let mut start = 0;
        self.ops.iter().map(move |op| {
            let (key, value) = self.data[start..op.end].split_at(op.key_bytes);
            start = op.end;
            Content { kind: op.kind, task: op.task, key, value }
        })
    }

    fn push(&mut self, kind: Kind, task: TaskKey, key: &[u8], value: &[u8]) -> Result<(), LimitError> {
        if key.len() > KEY_BYTES_MAX {
            return Err(LimitError::Key(key.len()));
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(LimitError::Value(value.len()));
        }
        let bytes = self.bytes + Content { kind, task, key, value }.frame_len();
        if bytes > BATCH_BYTES_MAX {
            return Err(LimitError::Batch(bytes));
        }
        self.bytes = bytes;
        self.data.extend_from_slice(key);
        self.data.extend_from_slice(value);
        self.ops.push(Op { kind, task, key_bytes: key.len(), end: self.data.len() });
        Ok(())
    }
}
