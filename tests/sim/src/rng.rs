//! All the randomness of a run, from one number: xoshiro256**, seeded by splitmix64. Written out here so that no release of a
//! library changes what a seed means.

use serde::{Deserialize, Serialize};

/// A stream of random numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rng([u64; 4]);

impl Rng {
    /// The stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        Self([(); 4].map(|()| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }))
    }

    /// A stream of its own, so that what one part draws does not move what another part draws.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.word())
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.word() % (high.saturating_sub(low) + 1)
    }

    /// A number from `low` to `high` whose magnitude, not value, is uniform: most are small, some are large.
    pub fn skewed(&mut self, low: u64, high: u64) -> u64 {
        let high = high.max(low + 1);
        let bits = (high - low).ilog2();
        let top = 1u64 << self.between(0, u64::from(bits));
        (low + self.between(0, top)).min(high)
    }

    /// An index below `len`.
    pub fn index(&mut self, len: usize) -> usize {
        (self.word() % len.max(1) as u64) as usize
    }

    /// True `ppm` times in a million.
    pub fn chance(&mut self, ppm: u32) -> bool {
        self.word() % 1_000_000 < u64::from(ppm)
    }

    /// One of `items`.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// Puts `items` in any order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.index(i + 1));
        }
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        [(); N].map(|()| self.word() as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        let mut rng = Rng::new(1);
        let drawn = [(); 3].map(|()| rng.word());
        assert_eq!(drawn, [12966619160104079557, 9600361134598540522, 10590380919521690900]);
    }
}
