//! The order of devices that score the same for a task: blake3(task id ‖ device id), the least first; its first eight bytes, for no two
//! devices of a cluster will ever share those. Every device of a large
//! cluster may score the same, and then each needs its hash for each task; so several are computed side by side, in a loop of nothing
//! but straight arithmetic that compilers turn into vector instructions on every processor.

use crate::id::{DeviceId, TaskId};
use alloc::vec::Vec;

/// Hashes computed side by side: two vector registers of those that every 64-bit processor has.
const LANES: usize = 8;

/// blake3's initial values.
const IV: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
/// Bytes that are hashed.
const BYTES: u32 = 32;
/// First, last and only chunk: `CHUNK_START | CHUNK_END | ROOT`.
const FLAGS: u32 = 1 | 2 | 8;

/// A place in the order; the least goes first.
pub(super) type Rank = u64;

/// The ranks of some devices for a task, in the order given.
pub(super) fn ranks(task: TaskId, devices: impl Iterator<Item = DeviceId>) -> Vec<Rank> {
    let mut out = Vec::with_capacity(devices.size_hint().0);
    let mut devices = devices.fuse();
    loop {
        let mut some = [DeviceId::default(); LANES];
        let mut count = 0;
        for (lane, device) in some.iter_mut().zip(&mut devices) {
            *lane = device;
            count += 1;
        }
        if count == 0 {
            return out;
        }
        out.extend(&hash(task, &some)[..count]);
        if count < LANES {
            return out;
        }
    }
}

/// The rank of one device.
pub(super) fn rank_of(task: TaskId, device: DeviceId) -> Rank {
    hash(task, &[device; LANES])[0]
}

fn word(id: &[u8; 16], at: usize) -> u32 {
    u32::from_le_bytes([id[4 * at], id[4 * at + 1], id[4 * at + 2], id[4 * at + 3]])
}

/// The state of one hash.
type State = [u32; 16];

#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "the loop over the lanes becomes vector instructions only if all of it is in one body"
)]
fn quarter(v: &mut State, [a, b, c, d]: [usize; 4], x: u32, y: u32) {
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(x);
    v[d] = (v[d] ^ v[a]).rotate_right(16);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(12);
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(y);
    v[d] = (v[d] ^ v[a]).rotate_right(8);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(7);
}

/// One of blake3's seven rounds; `order` says which word of the message comes where.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn round(v: &mut State, message: &State, order: [usize; 16]) {
    let m = |at: usize| message[order[at]];
    quarter(v, [0, 4, 8, 12], m(0), m(1));
    quarter(v, [1, 5, 9, 13], m(2), m(3));
    quarter(v, [2, 6, 10, 14], m(4), m(5));
    quarter(v, [3, 7, 11, 15], m(6), m(7));
    quarter(v, [0, 5, 10, 15], m(8), m(9));
    quarter(v, [1, 6, 11, 12], m(10), m(11));
    quarter(v, [2, 7, 8, 13], m(12), m(13));
    quarter(v, [3, 4, 9, 14], m(14), m(15));
}

/// blake3 of 32 bytes, in each lane.
fn hash(task: TaskId, devices: &[DeviceId; LANES]) -> [Rank; LANES] {
    let task: [u32; 4] = core::array::from_fn(|at| word(&task.0, at));
    let words: [[u32; LANES]; 4] = core::array::from_fn(|at| core::array::from_fn(|lane| word(&devices[lane].0, at)));
    let mut out = [[0; LANES]; 2];
    for lane in 0..LANES {
        let mut message = [0; 16];
        message[..4].copy_from_slice(&task);
        (message[4], message[5]) = (words[0][lane], words[1][lane]);
        (message[6], message[7]) = (words[2][lane], words[3][lane]);
        let mut v = [0; 16];
        v[..8].copy_from_slice(&IV);
        v[8..12].copy_from_slice(&IV[..4]);
        (v[14], v[15]) = (BYTES, FLAGS);
        round(&mut v, &message, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        round(&mut v, &message, [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]);
        round(&mut v, &message, [3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1]);
        round(&mut v, &message, [10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6]);
        round(&mut v, &message, [12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4]);
        round(&mut v, &message, [9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7]);
        round(&mut v, &message, [11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13]);
        out[0][lane] = v[0] ^ v[8];
        out[1][lane] = v[1] ^ v[9];
    }
    // Compares as the bytes do.
    let both = |lane: usize| u64::from(out[0][lane]) | u64::from(out[1][lane]) << 32;
    core::array::from_fn(|lane| both(lane).swap_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_blake3_of_task_and_device() {
        let bytes = |n: u64, what: &str| {
            let mut id = [0; 16];
            id.copy_from_slice(&blake3::hash(alloc::format!("{what} {n}").as_bytes()).as_bytes()[..16]);
            id
        };
        for n in 0..100 {
            let task = TaskId(bytes(n, "task"));
            let devices: Vec<_> = (0..n % 11).map(|d| DeviceId(bytes(100 * n + d, "device"))).collect();
            let ranks = ranks(task, devices.iter().copied());
            assert_eq!(ranks.len(), devices.len());
            for (device, found) in devices.iter().zip(ranks) {
                let bytes = *blake3::hash(&[task.0, device.0].concat()).as_bytes();
                assert_eq!(found.to_be_bytes(), bytes[..8]);
                assert_eq!(rank_of(task, *device), found);
            }
        }
    }
}
