//! How often which values came, to within three percent, and mergeable: 16 buckets for every doubling. Knows nothing of units.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Buckets per doubling, as a power of two.
const FINE_BITS: u32 = 4;
const FINE: u64 = 1 << FINE_BITS;

/// A histogram of whole numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(BTreeMap<u16, u64>);

fn bucket(value: u64) -> u16 {
    if value < FINE {
        return value as u16;
    }
    let doublings = 63 - value.leading_zeros() - FINE_BITS;
    let fine = (value >> doublings) & (FINE - 1);
    (u64::from(doublings + 1) * FINE + fine) as u16
}

/// The value in the middle of a bucket.
fn middle(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < 2 * FINE {
        return bucket;
    }
    let doublings = (bucket / FINE - 1).min(59);
    let low = (FINE + bucket % FINE) << doublings;
    low + (1 << doublings) / 2
}

impl Histogram {
    /// One more of this value.
    pub fn add(&mut self, value: u64) {
        *self.0.entry(bucket(value)).or_default() += 1;
    }

    /// What others have counted.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            let own = self.0.entry(*bucket).or_default();
            *own = own.saturating_add(*count);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The value below or at which so many in a hundred are; `None` if there are none.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let count = self.count();
        let rank = u64::try_from((u128::from(count) * u128::from(percent)).div_ceil(100)).unwrap_or(u64::MAX).max(1);
        let mut below = 0u64;
        for (bucket, count) in &self.0 {
            below = below.saturating_add(*count);
            if below >= rank {
                return Some(middle(*bucket));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_three_percent() {
        let mut whole = Histogram::default();
        let mut parts = [Histogram::default(), Histogram::default()];
        for value in 1..=100_000u64 {
            whole.add(value * 7);
            parts[(value % 2) as usize].add(value * 7);
        }
        let [mut merged, other] = parts;
        merged.merge(&other);
        assert_eq!(merged, whole);
        for (percent, exact) in
            [(0, 7.0), (1, 7_000.0), (50, 350_000.0), (90, 630_000.0), (99, 693_000.0), (100, 700_000.0)]
        {
            let told = whole.percentile(percent).unwrap() as f64;
            assert!((told / exact - 1.0).abs() < 0.032, "p{percent}: {told} for {exact}");
        }
        assert_eq!(Histogram::default().percentile(50), None);
    }

    #[test]
    fn every_value_has_a_bucket_and_every_bucket_from_elsewhere_a_value() {
        let mut last = 0;
        for value in (0..100).chain((0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit])).chain([u64::MAX]) {
            let (bucket, middle) = (bucket(value), middle(bucket(value)));
            assert!(bucket < 1_000 && middle.abs_diff(value) <= value / 16, "{value}: {bucket} {middle}");
            last = last.max(bucket);
        }
        assert!((last..=u16::MAX).all(|bucket| middle(bucket) > 0));
        let text = serde_json::to_string(&Histogram([(3, 4)].into())).unwrap();
        assert_eq!(text, r#"{"3":4}"#);
        assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap().percentile(50), Some(3));
    }
}
