//! The order of devices that score the same for a task: blake3(task id ‖ device id), the least first. Every device of a large
//! cluster may score the same, and then each needs its hash for each task; so several are computed side by side, with nothing but
//! arithmetic that compilers turn into vector instructions on every processor.

use crate::id::{DeviceId, TaskId};
use alloc::vec::Vec;

/// Hashes computed side by side: as many words as the vector registers that every 64-bit processor has.
const LANES: usize = 4;

/// One word of each lane.
type Words = [u32; LANES];

/// blake3's initial values.
const IV: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
/// Which word of the message comes where in each of blake3's seven rounds.
const ROUNDS: [[usize; 16]; 7] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8],
    [3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1],
    [10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6],
    [12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4],
    [9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7],
    [11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13],
];
/// Bytes that are hashed.
const BYTES: u32 = 32;
/// First, last and only chunk: `CHUNK_START | CHUNK_END | ROOT`.
const FLAGS: u32 = 1 | 2 | 8;

/// A place in the order; the least goes first. Compares as the bytes of the hash do.
pub(super) type Rank = [u32; 8];

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

fn add(a: Words, b: Words) -> Words {
    core::array::from_fn(|lane| a[lane].wrapping_add(b[lane]))
}

fn mix(a: Words, b: Words, right: u32) -> Words {
    core::array::from_fn(|lane| (a[lane] ^ b[lane]).rotate_right(right))
}

/// blake3 of 32 bytes, in each lane.
fn hash(task: TaskId, devices: &[DeviceId; LANES]) -> [Rank; LANES] {
    let mut message = [[0; LANES]; 16];
    for at in 0..4 {
        message[at] = [word(&task.0, at); LANES];
        message[4 + at] = core::array::from_fn(|lane| word(&devices[lane].0, at));
    }
    let mut v: [Words; 16] = core::array::from_fn(|at| [IV[at % 8]; LANES]);
    v[12] = [0; LANES];
    v[13] = [0; LANES];
    v[14] = [BYTES; LANES];
    v[15] = [FLAGS; LANES];
    for order in &ROUNDS {
        let mut quarter = |a: usize, b: usize, c: usize, d: usize, first: usize| {
            let (x, y) = (message[order[first]], message[order[first + 1]]);
            v[a] = add(add(v[a], v[b]), x);
            v[d] = mix(v[d], v[a], 16);
            v[c] = add(v[c], v[d]);
            v[b] = mix(v[b], v[c], 12);
            v[a] = add(add(v[a], v[b]), y);
            v[d] = mix(v[d], v[a], 8);
            v[c] = add(v[c], v[d]);
            v[b] = mix(v[b], v[c], 7);
        };
        quarter(0, 4, 8, 12, 0);
        quarter(1, 5, 9, 13, 2);
        quarter(2, 6, 10, 14, 4);
        quarter(3, 7, 11, 15, 6);
        quarter(0, 5, 10, 15, 8);
        quarter(1, 6, 11, 12, 10);
        quarter(2, 7, 8, 13, 12);
        quarter(3, 4, 9, 14, 14);
    }
    core::array::from_fn(|lane| core::array::from_fn(|at| (v[at][lane] ^ v[at + 8][lane]).swap_bytes()))
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
                let found_bytes: Vec<u8> = found.iter().flat_map(|word| word.to_be_bytes()).collect();
                assert_eq!(found_bytes, bytes);
                assert_eq!(rank_of(task, *device), found);
            }
        }
    }
}
