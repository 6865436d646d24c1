//! A module's memory, as calls from it see it. Every pointer is checked; a bad one is an error of the call, as it would be in a
//! kernel, and never more.

use super::{BADF, FAULT};

/// The linear memory.
pub(super) struct Guest<'a> {
    bytes: &'a mut [u8],
}

impl<'a> Guest<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes }
    }

    /// So many bytes at a pointer.
    pub(super) fn slice(&self, at: u32, bytes: u32) -> Result<&[u8], i32> {
        let from = at as usize;
        let to = from.checked_add(bytes as usize).ok_or(FAULT)?;
        self.bytes.get(from..to).ok_or(FAULT)
    }

    /// The same, to be written.
    pub(super) fn slice_mut(&mut self, at: u32, bytes: u32) -> Result<&mut [u8], i32> {
        let from = at as usize;
        let to = from.checked_add(bytes as usize).ok_or(FAULT)?;
        self.bytes.get_mut(from..to).ok_or(FAULT)
    }

    fn array<const N: usize>(&self, at: u32) -> Result<[u8; N], i32> {
        let from = at as usize;
        let slice = from.checked_add(N).and_then(|to| self.bytes.get(from..to));
        slice.and_then(|slice| slice.try_into().ok()).ok_or(FAULT)
    }

    pub(super) fn u8(&self, at: u32) -> Result<u8, i32> {
        Ok(u8::from_le_bytes(self.array(at)?))
    }

    pub(super) fn u16(&self, at: u32) -> Result<u16, i32> {
        Ok(u16::from_le_bytes(self.array(at)?))
    }

    pub(super) fn u32(&self, at: u32) -> Result<u32, i32> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    pub(super) fn u64(&self, at: u32) -> Result<u64, i32> {
        Ok(u64::from_le_bytes(self.array(at)?))
    }

    pub(super) fn put_u32(&mut self, at: u32, value: u32) -> Result<(), i32> {
        self.slice_mut(at, 4)?.copy_from_slice(&value.to_le_bytes());
        Ok(())
    }

    pub(super) fn put_u64(&mut self, at: u32, value: u64) -> Result<(), i32> {
        self.slice_mut(at, 8)?.copy_from_slice(&value.to_le_bytes());
        Ok(())
    }

    /// One of a list of buffers: where it is and how long.
    pub(super) fn buffer(&self, list: u32, index: u32) -> Result<(u32, u32), i32> {
        let entry = index.checked_mul(8).and_then(|offset| list.checked_add(offset)).ok_or(FAULT)?;
        Ok((self.u32(entry)?, self.u32(entry.checked_add(4).ok_or(FAULT)?)?))
    }

    /// The description, so many bytes long, of one of the three streams; its kind stands at `kind_at`.
    pub(super) fn put_stream(&mut self, fd: u32, at: u32, bytes: u32, kind_at: usize) -> Result<(), i32> {
        const CHARACTER_DEVICE: u8 = 2;
        if fd > 2 {
            return Err(BADF);
        }
        let out = self.slice_mut(at, bytes)?;
        out.fill(0);
        out[kind_at] = CHARACTER_DEVICE;
        if bytes == 24 {
            // What may be done with it: bit 1 is reading, bit 6 writing.
            out[8] = if fd == 0 { 1 << 1 } else { 1 << 6 };
        }
        Ok(())
    }
}
