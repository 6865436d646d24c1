//! The choice among the devices that fit: the highest total, equal ones in an order of the task's own, so that equal devices share
//! the work and every peer agrees.

use super::candidate::Candidate;
use super::filter::fits;
use super::score::{Terms, score};
use super::tie_break::{rank_of, ranks};
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
    // Those with the highest total, and those with the second highest: a device is hashed only if its total leaves it a chance.
    let (mut first, mut second) = (Group::default(), Group::default());
    for candidate in candidates {
        let terms = score(spec, &candidate);
        let total = terms.total();
        let is_low = |group: &Group<'_>| !group.devices.is_empty() && total < group.total;
        let is_beaten = is_low(&second) || (is_low(&first) && first.devices.len() > 1);
        // Most devices lose by their numbers, which are cheaper to compare than the texts of the filter. Of many with the same total,
        // those are looked at that turn out to be the first two.
        let is_one_of_many = total == first.total && first.devices.len() > 1;
        if is_beaten || !(is_one_of_many || fits(spec, &candidate)) {
            continue;
        }
        if first.devices.is_empty() || total > first.total {
            second = mem::replace(&mut first, Group { total, devices: Vec::new() });
        }
        let group = if total == first.total { &mut first } else { &mut second };
        if total != group.total {
            *group = Group { total, devices: Vec::new() };
        }
        group.devices.push((candidate, terms));
    }
    let [best, next] = first.best_two(task, spec);
    let next = next.or_else(|| second.best_two(task, spec)[0]);
    let named = |(candidate, terms): Scored<'a>| (candidate.record.device, terms);
    best.map(named).map(|(device, terms)| Pick { device, terms, runner_up: next.map(named) })
}

type Scored<'a> = (Candidate<'a>, Terms);

/// Devices with the same total; the first two of them fit, of the others nobody knows.
#[derive(Default)]
struct Group<'a> {
    total: u32,
    devices: Vec<Scored<'a>>,
}

impl<'a> Group<'a> {
    /// The first two that fit, in the task's own order.
    fn best_two(&mut self, task: TaskId, spec: &TaskSpec) -> [Option<Scored<'a>>; 2] {
        let best = self.first_two(task);
        let fit = |found: &Scored<'a>| fits(spec, &found.0);
        if best.iter().flatten().all(fit) {
            return best;
        }
        self.devices.retain(fit);
        self.first_two(task)
    }

    fn first_two(&self, task: TaskId) -> [Option<Scored<'a>>; 2] {
        if let [only] = self.devices[..] {
            return [Some(only), None];
        }
        let ranks = ranks(task, self.devices.iter().map(|(candidate, _)| candidate.record.device));
        let key = |at: usize| {
            let (candidate, terms) = &self.devices[at];
            (ranks[at], Reverse(*terms), candidate.record.device)
        };
        let mut best: [Option<usize>; 2] = [None; 2];
        for (at, rank) in ranks.iter().enumerate() {
            // One number tells nearly all apart.
            let goes_before = |other: Option<usize>| {
                other.is_none_or(|other| *rank < ranks[other] || (*rank == ranks[other] && key(at) < key(other)))
            };
            if goes_before(best[0]) {
                best = [Some(at), best[0]];
            } else if goes_before(best[1]) {
                best[1] = Some(at);
            }
        }
        best.map(|found| found.map(|at| self.devices[at]))
    }
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

/// Puts the best first: by total, then by [`rank_of`], which is computed only where totals are equal.
pub(super) fn sort<T>(task: TaskId, items: &mut [T], key: impl Fn(&T) -> (DeviceId, Terms)) {
    items.sort_by_cached_key(|item| Reverse(key(item).1.total()));
    for equals in items.chunk_by_mut(|a, b| key(a).1.total() == key(b).1.total()) {
        if equals.len() > 1 {
            equals.sort_by_cached_key(|item| {
                let (device, terms) = key(item);
                (rank_of(task, device), Reverse(terms))
            });
        }
    }
}
