//! Walks a segment from front to back, over damage: what is there, in order, and what cannot be read.
//!
//! Decides nothing: whether a gap is a torn tail or damage, and what a frame means, is for recovery.

use std::{fs::File, io};

use super::{
    frame::{HEAD_LEN, HEADER_LEN, Head, decode_head, value_is_intact},
    segment::read_at,
};

/// Read at once: large enough that a cold disk streams, small beside the memory of a small device.
const WINDOW_BYTES: usize = 256 << 10;

/// Zeros before a head that could be part of it: its checksum.
const SKIPPED_ZEROS_MIN: u64 = 4;

const ZEROS: [u8; 64] = [0; 64];

/// One thing found in a segment.
#[derive(Debug)]
pub(super) enum Found {
    /// An intact head; `value` is `None` if the value is not intact.
    Frame { offset: u32, head: Head, value: Option<Vec<u8>> },
    /// Bytes that are no frame, up to the next one or to the end (trailing zeros aside).
    Gap { offset: u32, bytes: u64 },
}

/// Reads one file from front to back.
#[derive(Debug)]
pub(super) struct Scan {
    file: File,
    salt: u32,
    at: u64,
    len: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Scan {
    /// `salt` comes from the segment's header.
    pub(super) fn new(file: File, salt: u32) -> io::Result<Scan> {
        let len = file.metadata()?.len();
        Ok(Scan { file, salt, at: HEADER_LEN as u64, len, window: Vec::new(), window_at: 0 })
    }

    /// The next frame or gap; `None` at the end of the log in this file.
    pub(super) fn next(&mut self) -> io::Result<Option<Found>> {
        if self.at >= self.len {
            return Ok(None);
        }
        let offset = self.at;
        if let Some(head) = self.head_at(offset)? {
            self.at += head.frame_len() as u64;
            let value = self.value_of(&head, offset)?;
            return Ok(Some(Found::Frame { offset: offset as u32, head, value }));
        }
        let mut used = offset;
        let mut candidate = offset;
        while candidate < self.len {
            let zeros = self.zeros(candidate)?;
            if zeros > SKIPPED_ZEROS_MIN {
                // A head may begin with a checksum of zeros, but its fifth byte is not zero.
                candidate += zeros - SKIPPED_ZEROS_MIN;
                continue;
            }
            if candidate > offset && self.head_at(candidate)?.is_some() {
                self.at = candidate;
                return Ok(Some(Found::Gap { offset: offset as u32, bytes: candidate - offset }));
            }
            candidate += 1;
            if zeros == 0 {
                used = candidate;
            }
        }
        self.at = self.len;
        Ok((used > offset).then_some(Found::Gap { offset: offset as u32, bytes: used - offset }))
    }

    /// How many zeros follow, as far as they are in memory.
    fn zeros(&mut self, offset: u64) -> io::Result<u64> {
        self.bytes(offset, 1)?;
        let from = ((offset - self.window_at) as usize).min(self.window.len());
        let rest = &self.window[from..];
        // Whole blocks first: most of what is passed here is a preallocated megabyte.
        let blocks = rest.chunks_exact(ZEROS.len()).take_while(|block| *block == ZEROS).count();
        let from = blocks * ZEROS.len();
        let more = rest[from..].iter().position(|byte| *byte != 0);
        Ok(more.map_or(rest.len(), |at| from + at) as u64)
    }

    fn head_at(&mut self, offset: u64) -> io::Result<Option<Head>> {
        let salt = self.salt;
        let longest = HEAD_LEN + super::batch::KEY_BYTES_MAX;
        Ok(decode_head(self.bytes(offset, longest)?, salt, offset as u32))
    }

    fn value_of(&mut self, head: &Head, offset: u64) -> io::Result<Option<Vec<u8>>> {
        let salt = self.salt;
        let value = self.bytes(offset + head.head_len() as u64, head.value_len as usize)?;
        Ok(value_is_intact(head, value, salt, offset as u32).then(|| value.to_vec()))
    }

    /// Up to `len` bytes from `offset` on; fewer only at the end of the file.
    fn bytes(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let window_end = self.window_at + self.window.len() as u64;
        let wanted_end = (offset + len as u64).min(self.len);
        if offset < self.window_at || wanted_end > window_end {
            self.window = vec![0; len.max(WINDOW_BYTES)];
            let read = read_at(&self.file, &mut self.window, offset)?;
            self.window.truncate(read);
            self.window_at = offset;
        }
        let from = ((offset - self.window_at) as usize).min(self.window.len());
        let to = (from + len).min(self.window.len());
        Ok(&self.window[from..to])
    }
}
