//! The choice among the devices that fit: the highest total, equal ones in an order of the task's own, so that equal devices share
//! the work and every peer agrees.

use super::candidate::Candidate;
use super::filter::fits;
use super::score::{Terms, score};
use crate::id::{DeviceId, TaskId};
use crate::task::TaskSpec;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::mem;

/// A placement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pick {
    /// Where the task goes.
    pub device: DeviceId,
    /// Why there.
    pub terms: Terms,
    /// The second best, if more than one device fits.
    pub runner_up: Option<(DeviceId, Terms)>,
}

/// The best device that fits; `None` if none does. The order of the candidates does not matter.
#[must_use]
pub fn pick<'a>(task: TaskId, spec: &TaskSpec, candidates: impl IntoIterator<Item = Candidate<'a>>) -> Option<Pick> {
    let mut first: Option<Contender> = None;
    let mut second: Option<Contender> = None;
    for candidate in candidates {
        let mut next = Contender::new(candidate.record.device, score(spec, &candidate));
        // Most devices lose by their numbers, which are cheaper to compare than the texts of the filter.
        let loses = |second: &mut Contender| !next.beats(task, second);
        if second.as_mut().is_some_and(loses) || !fits(spec, &candidate) {
            continue;
        }
        // `next` pushes the one it beats a place down.
        for place in [&mut first, &mut second] {
            let Some(holder) = place else {
                *place = Some(next);
                break;
            };
            if next.beats(task, holder) {
                mem::swap(holder, &mut next);
            }
        }
    }
    first.map(|first| Pick {
        device: first.device,
        terms: first.terms,
        runner_up: second.map(|second| (second.device, second.terms)),
    })
}

/// All devices that fit, the best first.
#[must_use]
pub fn rank<'a>(
    task: TaskId,
    spec: &TaskSpec,
    candidates: impl IntoIterator<Item = Candidate<'a>>,
) -> Vec<(DeviceId, Terms)> {
    let mut ranked: Vec<_> = candidates
        .into_iter()
        .filter(|candidate| fits(spec, candidate))
        .map(|candidate| (candidate.record.device, score(spec, &candidate)))
        .collect();
    sort(task, &mut ranked, |entry| *entry);
    ranked
}

/// Puts the best first: by total, then by [`tie_break`], which is computed only where totals are equal.
pub(super) fn sort<T>(task: TaskId, items: &mut [T], key: impl Fn(&T) -> (DeviceId, Terms)) {
    items.sort_by_cached_key(|item| Reverse(key(item).1.total()));
    for equals in items.chunk_by_mut(|a, b| key(a).1.total() == key(b).1.total()) {
        if equals.len() > 1 {
            equals.sort_by_cached_key(|item| {
                let (device, terms) = key(item);
                (tie_break(task, device), Reverse(terms))
            });
        }
    }
}

/// blake3(task id ‖ device id); the least goes first.
fn tie_break(task: TaskId, device: DeviceId) -> [u8; 32] {
    let mut ids = [0; 32];
    ids[..16].copy_from_slice(&task.0);
    ids[16..].copy_from_slice(&device.0);
    *blake3::hash(&ids).as_bytes()
}

/// A device that fits, on its way to first or second place. Its tie-break is computed when it is needed, and once.
struct Contender {
    device: DeviceId,
    terms: Terms,
    total: u32,
    tie_break: Option<[u8; 32]>,
}

impl Contender {
    const fn new(device: DeviceId, terms: Terms) -> Self {
        Self { device, terms, total: terms.total(), tie_break: None }
    }

    fn beats(&mut self, task: TaskId, other: &mut Self) -> bool {
        if self.total != other.total {
            return self.total > other.total;
        }
        (self.tie_break(task), Reverse(self.terms)) < (other.tie_break(task), Reverse(other.terms))
    }

    fn tie_break(&mut self, task: TaskId) -> [u8; 32] {
        *self.tie_break.get_or_insert_with(|| tie_break(task, self.device))
    }
}
