//! How room is shared out among those who want it: the more urgent first, and of equals whoever has least in hand. Knows of no device.

use crate::task::Priority;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// Somebody who wants room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<T> {
    /// Who.
    pub(super) who: T,
    /// How urgently.
    pub(super) priority: Priority,
    /// What he has in hand, or was promised.
    pub(super) has: u32,
    /// How much more he can use.
    pub(super) needs: u32,
}

/// What each gets of so much, the more urgent first: of equal ones, who has least is filled up first.
pub(super) fn share_out<T: Copy + Ord>(mut free: u32, mut claims: Vec<Claim<T>>) -> Vec<(T, u32)> {
    claims.sort_by_key(|claim| (Reverse(claim.priority), claim.has, claim.who));
    let mut shares = Vec::with_capacity(claims.len());
    for equals in claims.chunk_by(|a, b| a.priority == b.priority) {
        let level = level(free, equals);
        let first = shares.len();
        shares.extend(equals.iter().map(|claim| (claim.who, up_to(claim, level))));
        free -= shares[first..].iter().map(|(_, share)| share).sum::<u32>();
        // What does not go up evenly goes to those who had least.
        for (claim, (_, share)) in equals.iter().zip(&mut shares[first..]) {
            if free > 0 && up_to(claim, level + 1) > *share {
                *share += 1;
                free -= 1;
            }
        }
    }
    shares
}

/// What a claim takes until it has so much.
fn up_to<T>(claim: &Claim<T>, level: u32) -> u32 {
    level.saturating_sub(claim.has).min(claim.needs)
}

/// The highest that all can be filled up to with so much.
fn level<T>(free: u32, claims: &[Claim<T>]) -> u32 {
    let takes = |level| claims.iter().map(|claim| u64::from(up_to(claim, level))).sum::<u64>();
    let highest = claims.iter().map(|claim| claim.has).max().unwrap_or(0).saturating_add(free);
    let (mut low, mut high) = (0, highest);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if takes(middle) <= u64::from(free) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(who: u8, priority: Priority, has: u32, needs: u32) -> Claim<u8> {
        Claim { who, priority, has, needs }
    }

    fn of(free: u32, claims: &[Claim<u8>]) -> Vec<u32> {
        let mut shares = share_out(free, claims.to_vec());
        shares.sort_unstable();
        shares.into_iter().map(|(_, share)| share).collect()
    }

    #[test]
    fn the_more_urgent_are_served_first_and_equals_are_made_equal() {
        use Priority::{Normal, Urgent};
        assert_eq!(of(10, &[claim(1, Normal, 0, 100), claim(2, Normal, 0, 100)]), [5, 5]);
        assert_eq!(of(10, &[claim(1, Normal, 8, 100), claim(2, Normal, 0, 100)]), [1, 9]);
        assert_eq!(of(1, &[claim(1, Normal, 3, 100), claim(2, Normal, 2, 100)]), [0, 1]);
        assert_eq!(of(1, &[claim(1, Normal, 2, 100), claim(2, Normal, 2, 100)]), [1, 0]);
        assert_eq!(of(10, &[claim(1, Normal, 0, 3), claim(2, Normal, 0, 100)]), [3, 7]);
        assert_eq!(of(10, &[claim(1, Normal, 0, 100), claim(2, Urgent, 50, 8)]), [2, 8]);
        assert_eq!(of(10, &[claim(1, Normal, 0, 2), claim(2, Normal, 0, 2)]), [2, 2]);
        assert_eq!(of(0, &[claim(1, Normal, 0, 2)]), [0]);
        assert_eq!(of(7, &[]), [0; 0]);
    }
}
