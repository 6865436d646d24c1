//! Randomness from a seed: SplitMix64. For nonces and jitter; nothing that must be right depends on it.

/// A generator; equal seeds give equal numbers.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Folds a seed into a generator.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let mut state = 0u64;
        for chunk in seed.as_chunks::<8>().0 {
            state = state.rotate_left(17) ^ u64::from_le_bytes(*chunk);
        }
        Self(state)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
