//! Results of runs whose sender says that they depend on nothing but module and input: kept for a while, so that the same run need
//! not be done again. In memory, bounded, the oldest go first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is kept, bytes and results.
const BYTES_MAX: usize = 4 << 20;
const ENTRIES_MAX: usize = 1024;

/// blake3 of the module's hash and the input.
pub(super) type Key = [u8; 32];

/// A result, and what was written on the way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Remembered {
    pub(super) result: serde_json::Value,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

impl Remembered {
    /// About, in memory.
    fn bytes(&self) -> usize {
        256 + self.result.to_string().len() + self.stdout.len() + self.stderr.len()
    }
}

#[derive(Default)]
struct Kept {
    by_key: HashMap<Key, Remembered>,
    order: VecDeque<Key>,
    bytes: usize,
}

/// Results by what was asked.
#[derive(Default)]
pub(super) struct Memo(Mutex<Kept>);

impl Memo {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // No code that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &Key) -> Option<Remembered> {
        self.kept().by_key.get(key).cloned()
    }

    pub(super) fn put(&self, key: Key, result: Remembered) {
        let bytes = result.bytes();
        // One that would drive out half of the others is done again.
        if bytes > BYTES_MAX / 2 {
            return;
        }
        let mut kept = self.kept();
        if let Some(before) = kept.by_key.insert(key, result) {
            kept.bytes -= before.bytes();
        } else {
            kept.order.push_back(key);
        }
        kept.bytes += bytes;
        while kept.bytes > BYTES_MAX || kept.order.len() > ENTRIES_MAX {
            let Some(oldest) = kept.order.pop_front() else { return };
            if let Some(gone) = kept.by_key.remove(&oldest) {
                kept.bytes -= gone.bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes_first() {
        let memo = Memo::default();
        let of = |n: usize| Remembered { result: n.into(), stdout: vec![0; 100_000], stderr: Vec::new() };
        let key = |n: usize| *blake3::hash(&n.to_be_bytes()).as_bytes();
        (0..100).for_each(|n| memo.put(key(n), of(n)));
        assert_eq!(memo.get(&key(99)), Some(of(99)));
        assert_eq!(memo.get(&key(0)), None);
        let sizes = |kept: &Kept| (kept.bytes, kept.order.len(), kept.by_key.len());
        let (bytes, order, by_key) = sizes(&memo.kept());
        assert!(bytes <= BYTES_MAX && order == by_key, "{bytes} {order} {by_key}");
        memo.put(key(99), of(1));
        assert_eq!(memo.get(&key(99)), Some(of(1)));
        memo.put(key(1000), Remembered { stdout: vec![0; BYTES_MAX], ..of(0) });
        assert_eq!(memo.get(&key(1000)), None);
        (0..3000).for_each(|n| memo.put(key(n), Remembered { stdout: Vec::new(), ..of(n) }));
        assert_eq!(memo.kept().by_key.len(), ENTRIES_MAX);
    }
}
