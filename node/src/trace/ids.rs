//! Makes trace ids: unique in the cluster, and rising on a device whatever its clock does. Reads no clock.
//!
//! The low 64 bits are a zero, 41 bits of milliseconds since 2020, 10 bits of device and 12 bits of sequence. Ten bits do not tell all
//! devices apart, and a device does not remember between two starts what it gave; so the high 64 bits are a hash of the device and of
//! this life of it.

use super::context::TraceId;
use rc_scheduler::{DeviceId, Incarnation};
use std::sync::atomic::{AtomicU64, Ordering};

/// 2020-01-01, milliseconds since 1970: 41 bits last from there until 2089.
const BEGIN_WALL_MS: u64 = 1_577_836_800_000;
const MS_BITS: u32 = 41;
const DEVICE_BITS: u32 = 10;
const SEQUENCE_BITS: u32 = 12;

/// Where a device's trace ids come from.
#[derive(Debug)]
pub struct TraceIds {
    high: u64,
    device: u64,
    /// Milliseconds and sequence of the last one. As one number, so that a sequence that is used up borrows from the time, and a clock
    /// that steps back changes nothing.
    last: AtomicU64,
}

impl TraceIds {
    /// For this life of a device.
    #[must_use]
    pub fn new(device: DeviceId, life: Incarnation) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("rc-node trace 1");
        hasher.update(&device.0).update(&life.boots.to_le_bytes());
        let hash = *hasher.finalize().as_bytes();
        let mut high = [0; 8];
        high.copy_from_slice(&hash[..8]);
        let of_device = blake3::derive_key("rc-node trace device 1", &device.0);
        Self::with(u64::from_be_bytes(high), u64::from(u16::from_be_bytes([of_device[0], of_device[1]])))
    }

    const fn with(high: u64, device: u64) -> Self {
        // Never zero, so that no id is.
        Self { high: high | 1, device: device & ((1 << DEVICE_BITS) - 1), last: AtomicU64::new(0) }
    }

    /// The next one, given what the clock says, milliseconds since 1970.
    pub fn next(&self, wall_ms: u64) -> TraceId {
        let ms = wall_ms.saturating_sub(BEGIN_WALL_MS);
        // A clock beyond the century is believed as little as one before 2020: the time goes on from where it was.
        let now = if ms >> MS_BITS == 0 { ms << SEQUENCE_BITS } else { 0 };
        let step = |last: u64| Some((last + 1).max(now));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).unwrap_or_default();
        let this = (last + 1).max(now);
        let sequence = this & ((1 << SEQUENCE_BITS) - 1);
        let ms = (this >> SEQUENCE_BITS) & ((1 << MS_BITS) - 1);
        let low = (ms << (DEVICE_BITS + SEQUENCE_BITS)) | (self.device << SEQUENCE_BITS) | sequence;
        let bits = (u128::from(self.high) << 64) | u128::from(low);
        TraceId::new(bits).unwrap_or(TraceId::of_task(rc_scheduler::TaskId([1; 16])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICES: u64 = 8;
    /// Ids of each device.
    const IDS: u64 = 1_000_000;

    /// A clock that goes on, stands still, steps back by seconds, and once believes in 1970 and once in 2200.
    fn clock(device: u64, n: u64) -> u64 {
        let base = BEGIN_WALL_MS + 200_000_000_000 + device * 37;
        match n % 10_000 {
            777 => 0,
            778 => 7_258_118_400_000,
            step => {
                let going_on = base + n / 3;
                if (step / 1_000).is_multiple_of(2) { going_on } else { going_on.saturating_sub(step * 3) }
            }
        }
    }

    fn low(id: TraceId) -> u64 {
        id.bits() as u64
    }

    #[test]
    fn ids_of_eight_devices_are_unique_and_rise_while_clocks_step() {
        for device in 0..DEVICES {
            let source = TraceIds::with(99, device * 3);
            let mut last = None;
            for n in 0..IDS {
                let id = low(source.next(clock(device, n)));
                // Those of one device rise, so no two are equal; those of two devices differ in ten bits, whatever the others are.
                assert!(last < Some(id), "{id:x} comes after {last:x?}");
                assert_eq!((id >> 12) & 0x3ff, device * 3, "ten bits of device");
                last = Some(id);
            }
        }
    }

    #[test]
    fn the_time_is_in_the_id() {
        let ids = TraceIds::with(1, 5);
        let at = BEGIN_WALL_MS + 123_456_789;
        assert_eq!(low(ids.next(at)) >> 22, 123_456_789);
        assert_eq!(low(ids.next(at - 5_000)) >> 22, 123_456_789, "back in time");
        for _ in 0..4_096 {
            ids.next(at);
        }
        assert_eq!(low(ids.next(at)) >> 22, 123_456_790, "the sequence is used up");
        assert_eq!(low(ids.next(at + 10)) >> 22, 123_456_799);
    }

    #[test]
    fn devices_and_lives_differ_even_if_ten_bits_do_not() {
        let life = |boots| Incarnation { boots, wakes: 0 };
        let of = |device: u8, boots| TraceIds::new(DeviceId([device; 16]), life(boots)).next(BEGIN_WALL_MS);
        assert_ne!(of(1, 1), of(1, 2));
        assert_eq!(low(of(1, 1)), low(of(1, 2)));
        assert_ne!(of(1, 1).bits() >> 64, of(2, 1).bits() >> 64);
    }

    #[test]
    fn threads_share_a_source() {
        let ids = TraceIds::with(1, 1);
        let mut all: Vec<u64> = std::thread::scope(|scope| {
            let run = || (0..5_000).map(|n| low(ids.next(BEGIN_WALL_MS + n / 7))).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 20_000);
    }
}
