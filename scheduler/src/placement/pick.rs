//! The choice among the devices that fit: the highest total, equal ones in an order of the task's own, so that equal devices share
//! the work and every peer agrees.

use super::candidate::Candidate;
use super::filter::fits;
use super::score::{Terms, score};
use super::tie_break::{Rank, rank_of, ranks};
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
        let is_low = |group: &Group| !group.devices.is_empty() && total < group.total;
        let is_beaten = is_low(&second) || (is_low(&first) && first.devices.len() > 1);
        // Most devices lose by their numbers, which are cheaper to compare than the texts of the filter.
        if is_beaten || !fits(spec, &candidate) {
            continue;
        }
        if first.devices.is_empty() || total > first.total {
            second = mem::replace(&mut first, Group { total, devices: Vec::new() });
        }
        let group = if total == first.total { &mut first } else { &mut second };
        if total != group.total {
            *group = Group { total, devices: Vec::new() };
        }
        group.devices.push((candidate.record.device, terms));
    }
    let [best, next] = first.best_two(task);
    let next = next.or_else(|| second.best_two(task)[0]);
    best.map(|(device, terms)| Pick { device, terms, runner_up: next })
}

type Scored = (DeviceId, Terms);

/// Devices with the same total.
#[derive(Default)]
struct Group {
    total: u32,
    devices: Vec<Scored>,
}

impl Group {
    /// The first two in the task's own order.
    fn best_two(&self, task: TaskId) -> [Option<Scored>; 2] {
        if let [only] = self.devices[..] {
            return [Some(only), None];
        }
        let ranks = ranks(task, self.devices.iter().map(|(device, _)| *device));
        let mut best: [Option<(Rank, Reverse<Terms>, DeviceId)>; 2] = [None; 2];
        for (rank, (device, terms)) in ranks.into_iter().zip(&self.devices) {
            let next = Some((rank, Reverse(*terms), *device));
            if best[0].is_none() || next < best[0] {
                best = [next, best[0]];
            } else if best[1].is_none() || next < best[1] {
                best[1] = next;
            }
        }
        best.map(|found| found.map(|(_, Reverse(terms), device)| (device, terms)))
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
