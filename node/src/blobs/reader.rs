//! Reads a blob that is here: checked groups, one after the other, or a part of it.

use super::error::BlobError;
use super::store::Opened;
use super::tree::GROUP_BYTES;
use bytes::Bytes;
use rc_scheduler::BlobRef;
use std::io;
use std::ops::Range;

/// A blob, or a part of it, to be read. Holds one group in memory at a time.
#[derive(Debug)]
pub struct BlobReader {
    /// Away while a group is read.
    opened: Option<Opened>,
    blob: BlobRef,
    range: Range<u64>,
}

impl BlobReader {
    pub(super) fn new(opened: Opened) -> Self {
        let blob = opened.blob();
        Self { opened: Some(opened), blob, range: 0..blob.bytes }
    }

    /// Which blob.
    #[must_use]
    pub const fn blob(&self) -> BlobRef {
        self.blob
    }

    /// Only these bytes; what is beyond the end is left out.
    #[must_use]
    pub fn part(mut self, range: Range<u64>) -> Self {
        self.range = range.start.min(self.blob.bytes)..range.end.min(self.blob.bytes);
        self
    }

    /// The next bytes, at most one group; `None` at the end.
    ///
    /// # Errors
    /// The disk refuses, or what is on it is not the blob any more.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.range.is_empty() {
            return Ok(None);
        }
        let mut opened = self.opened.take().ok_or_else(|| io::Error::other("an earlier read was broken off"))?;
        let group = self.range.start / GROUP_BYTES as u64;
        let read = move || {
            let data = opened.group(group);
            (opened, data)
        };
        let (opened, data) = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?;
        self.opened = Some(opened);
        let data = Bytes::from(data?);
        let begin = group * GROUP_BYTES as u64;
        // Both lie within one group.
        let from = (self.range.start - begin) as usize;
        let to = (self.range.end - begin).min(data.len() as u64) as usize;
        self.range.start = begin + to as u64;
        Ok(Some(data.slice(from..to)))
    }
}
