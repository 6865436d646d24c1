//! A short name for what the placing device knew, kept beside a placement: two that differ were made from different records.

use crate::device::DeviceRecord;
use alloc::vec::Vec;

/// A hash of device records: the same for the same records in any order, on any device. Tells views apart by accident, not against
/// someone who makes them collide on purpose.
///
/// The wrapping sum of the first eight bytes (little-endian) of the blake3 hash of each record's CBOR form.
#[must_use]
pub fn view_hash<'a>(records: impl IntoIterator<Item = &'a DeviceRecord>) -> u64 {
    let mut encoded = Vec::new();
    records.into_iter().fold(0_u64, |sum, record| {
        encoded.clear();
        ciborium::into_writer(record, &mut encoded).expect("a vector takes every record's bytes");
        let mut head = [0; 8];
        head.copy_from_slice(&blake3::hash(&encoded).as_bytes()[..8]);
        sum.wrapping_add(u64::from_le_bytes(head))
    })
}
