//! Which tasks are over for good: for each acceptor the numbers of those that it has buried (rule 30). Intervals, because what is
//! buried is the oldest; the sets only grow, so any device may pass any of them on.

use crate::id::DeviceId;
use crate::member::MEMBERS_MAX;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Most intervals that an acceptor publishes. What would make one more leaves a tombstone instead.
const PUBLISHED_MAX: usize = 256;
/// Most intervals kept of one acceptor: those of several of its publications may lie between each other.
pub(crate) const INTERVALS_MAX: usize = 4 * PUBLISHED_MAX;

/// Numbers from the first to the last of each, both included; apart, and rising.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Intervals(BTreeMap<u64, u64>);

impl Intervals {
    /// Whether a number is in.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, last)| number <= *last)
    }

    /// Adds all from the first to the last; says whether any was not in.
    pub(crate) fn add(&mut self, first: u64, last: u64) -> bool {
        let within = self.0.range(..=first).next_back().is_some_and(|(_, end)| last <= *end);
        if first > last || within {
            return false;
        }
        let (mut first, mut last) = (first, last);
        // Those that touch it, from the right.
        while let Some((from, upto)) = self.0.range(..=last.saturating_add(1)).next_back().map(|(a, b)| (*a, *b))
            && upto.saturating_add(1) >= first
        {
            self.0.remove(&from);
            (first, last) = (first.min(from), last.max(upto));
        }
        self.0.insert(first, last);
        true
    }

    /// Whether a number can be added without there being too many intervals to publish.
    fn has_room_for(&self, number: u64) -> bool {
        self.0.len() < PUBLISHED_MAX || self.has(number.saturating_sub(1)) || self.has(number.saturating_add(1))
    }

    /// The highest number.
    pub(crate) fn last(&self) -> Option<u64> {
        self.0.last_key_value().map(|(_, last)| *last)
    }

    /// As it travels and is stored.
    pub(crate) fn to_vec(&self) -> Vec<(u64, u64)> {
        self.0.iter().map(|(first, last)| (*first, *last)).collect()
    }
}

/// By acceptor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graves(BTreeMap<DeviceId, Intervals>);

impl Graves {
    /// Whether an acceptor has buried that number.
    pub(crate) fn covers(&self, by: DeviceId, number: u64) -> bool {
        self.0.get(&by).is_some_and(|row| row.has(number))
    }

    /// Buries one; `false` if it has to remain a tombstone.
    pub(crate) fn bury(&mut self, by: DeviceId, number: u64) -> bool {
        let row = self.0.entry(by).or_default();
        let room = row.has_room_for(number);
        if room {
            row.add(number, number);
        }
        room
    }

    /// Merges what somebody knows; says whether it is news. More intervals than anybody publishes are left alone.
    pub(crate) fn learn(&mut self, by: DeviceId, intervals: &[(u64, u64)]) -> bool {
        if self.0.len() >= MEMBERS_MAX && !self.0.contains_key(&by) {
            return false;
        }
        let row = self.0.entry(by).or_default();
        let mut news = false;
        for (first, last) in intervals {
            if row.0.len() < INTERVALS_MAX {
                news |= row.add(*first, *last);
            }
        }
        news
    }

    /// What one acceptor has buried.
    pub(crate) fn row(&self, by: DeviceId) -> Vec<(u64, u64)> {
        self.0.get(&by).map(Intervals::to_vec).unwrap_or_default()
    }

    /// The highest number that one acceptor has buried.
    pub(crate) fn last(&self, by: DeviceId) -> Option<u64> {
        self.0.get(&by).and_then(Intervals::last)
    }

    /// All of it.
    pub(crate) fn all(&self) -> Vec<(DeviceId, Vec<(u64, u64)>)> {
        self.0.iter().filter(|(_, row)| !row.0.is_empty()).map(|(by, row)| (*by, row.to_vec())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn intervals_are_a_set_of_numbers_whatever_the_order() {
        let mut state = 7u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..200 {
            let mut intervals = Intervals::default();
            let mut set = BTreeSet::new();
            for _ in 0..next(30) {
                let first = next(60);
                let last = first + next(6);
                let news = (first..=last).any(|number| !set.contains(&number));
                assert_eq!(intervals.add(first, last), news, "{first}..={last} to {intervals:?}");
                set.extend(first..=last);
            }
            assert!((0..70).all(|number| intervals.has(number) == set.contains(&number)), "{intervals:?} and {set:?}");
            let list = intervals.to_vec();
            assert!(list.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "they neither meet nor overlap: {list:?}");
        }
        let mut whole = Intervals::default();
        assert!(whole.add(0, u64::MAX) && !whole.add(u64::MAX, u64::MAX) && whole.has(u64::MAX));
        assert!(!whole.add(9, 3));
    }

    #[test]
    fn an_acceptor_publishes_only_so_many_intervals() {
        let (mut graves, by) = (Graves::default(), DeviceId([1; 16]));
        for number in 0..PUBLISHED_MAX as u64 {
            assert!(graves.bury(by, number * 2));
        }
        assert!(!graves.bury(by, 10_000));
        assert!(graves.bury(by, 1), "one that closes a gap makes fewer");
        assert!(graves.bury(by, 10_000));
        let many: Vec<_> = (0..10_000).map(|n| ((1 << 40) + n * 2, (1 << 40) + n * 2)).collect();
        graves.learn(by, &many);
        assert!(graves.row(by).len() <= INTERVALS_MAX);
    }
}
