//! Records that have ended and rest: on disk with everything, in memory only as what digests, lists and burial need. Knows neither
//! the disk nor when a record may rest.

use super::mark::Mark;
use crate::effect::Tomb;
use crate::id::{DeviceId, TaskId};
use crate::task::Status;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::RangeBounds;

/// What stays in memory of a record that rests: 24 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cold {
    /// The record's hash, its part in digests.
    pub(crate) hash: u64,
    /// Its number among those that its only acceptor accepted; zero if there are several acceptors.
    pub(crate) number: u64,
    /// This device's running time in seconds when its end was known here.
    pub(crate) ended: u32,
    /// Who accepted and who has it.
    pub(crate) circle: u16,
    /// In which round it ended, and how.
    pub(crate) mark: Mark,
    /// Only this is left of it, on disk as well.
    pub(crate) buried: bool,
}

/// Who accepted a record, and which other devices had stored all of it when it was laid to rest. Few differ.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Circle {
    /// In order of id.
    pub(crate) acceptors: Vec<DeviceId>,
    /// In order of id.
    pub(crate) stored: Vec<DeviceId>,
}

/// Circles that are told apart by who has the record; beyond, only by who accepted it.
const CIRCLES_MAX: usize = 4_096;

/// The records that rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct ColdTable {
    me: DeviceId,
    tasks: BTreeMap<TaskId, Cold>,
    circles: Vec<Circle>,
    by_circle: BTreeMap<Circle, u16>,
    /// The numbers of those with several acceptors.
    shared: BTreeMap<TaskId, Vec<(DeviceId, u64)>>,
    buried: usize,
    own: usize,
}

impl ColdTable {
    /// A number for a circle; `None` if there are too many.
    pub(crate) fn circle_number(&mut self, mut circle: Circle) -> Option<u16> {
        circle.acceptors.sort_unstable();
        circle.acceptors.dedup();
        circle.stored.sort_unstable();
        if let Some(number) = self.by_circle.get(&circle) {
            return Some(*number);
        }
        if self.circles.len() >= CIRCLES_MAX && !circle.stored.is_empty() {
            circle.stored.clear();
            return self.circle_number(circle);
        }
        let number = u16::try_from(self.circles.len()).ok()?;
        self.circles.push(circle.clone());
        self.by_circle.insert(circle, number);
        Some(number)
    }

    /// The circle of a record.
    pub(crate) fn circle(&self, cold: &Cold) -> &Circle {
        &self.circles[usize::from(cold.circle)]
    }

    /// A table of the device `me`.
    pub(crate) fn new(me: DeviceId) -> Self {
        Self { me, ..Self::default() }
    }

    /// Lays a record to rest, that was accepted under these numbers.
    pub(crate) fn insert(&mut self, task: TaskId, cold: Cold, numbers: &[(DeviceId, u64)]) {
        self.remove(task);
        self.buried += usize::from(cold.buried);
        self.own += usize::from(self.is_own(&cold));
        if numbers.len() > 1 {
            self.shared.insert(task, numbers.to_vec());
        }
        self.tasks.insert(task, cold);
    }

    /// Takes a record out.
    pub(crate) fn remove(&mut self, task: TaskId) -> Option<Cold> {
        let cold = self.tasks.remove(&task)?;
        self.buried -= usize::from(cold.buried);
        self.own -= usize::from(self.is_own(&cold));
        if !self.shared.is_empty() {
            self.shared.remove(&task);
        }
        Some(cold)
    }

    fn is_own(&self, cold: &Cold) -> bool {
        !cold.buried && self.circle(cold).acceptors.contains(&self.me)
    }

    /// The numbers under which a record was accepted, with who accepted it.
    pub(crate) fn numbers(&self, task: TaskId, cold: &Cold) -> Vec<(DeviceId, u64)> {
        match &self.circle(cold).acceptors[..] {
            [by] => Vec::from([(*by, cold.number)]),
            _ => self.shared.get(&task).cloned().unwrap_or_default(),
        }
    }

    /// What stays in memory of a tombstone, of a record that was known so far as `was`.
    pub(crate) fn entombed(&mut self, tomb: &Tomb, was: Option<Cold>) -> Option<Cold> {
        let acceptors = tomb.numbers.iter().map(|(by, _)| *by).collect();
        let circle = self.circle_number(Circle { acceptors, stored: Vec::new() })?;
        let number = match &tomb.numbers[..] {
            [(_, number)] => *number,
            _ => 0,
        };
        let mark = was.map_or(Mark::new(0, Status::Completed), |was| was.mark);
        Some(Cold { hash: tomb.hash, number, ended: tomb.ended_s, circle, mark, buried: true })
    }

    /// A tombstone's hash is that of the record that another device has.
    pub(crate) fn set_hash(&mut self, task: TaskId, hash: u64) {
        if let Some(cold) = self.tasks.get_mut(&task) {
            cold.hash = hash;
        }
    }

    /// Notes that a device has all of a record.
    pub(crate) fn note_stored(&mut self, task: TaskId, device: DeviceId) {
        let Some(cold) = self.tasks.get(&task).copied() else { return };
        let mut circle = self.circle(&cold).clone();
        if circle.stored.contains(&device) {
            return;
        }
        circle.stored.push(device);
        if let (Some(number), Some(cold)) = (self.circle_number(circle), self.tasks.get_mut(&task)) {
            cold.circle = number;
        }
    }

    /// What is known of a record that rests.
    pub(crate) fn get(&self, task: TaskId) -> Option<&Cold> {
        self.tasks.get(&task)
    }

    /// The record rests here and can be read.
    pub(crate) fn has(&self, task: TaskId) -> bool {
        self.tasks.get(&task).is_some_and(|cold| !cold.buried)
    }

    /// All of them in a range of ids.
    pub(crate) fn range(&self, range: impl RangeBounds<TaskId>) -> impl DoubleEndedIterator<Item = (TaskId, &Cold)> {
        self.tasks.range(range).map(|(task, cold)| (*task, cold))
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (TaskId, &Cold)> {
        self.tasks.iter().map(|(task, cold)| (*task, cold))
    }

    /// How many can be read.
    pub(crate) fn len(&self) -> usize {
        self.tasks.len() - self.buried
    }

    /// How many of those this device has accepted.
    pub(crate) const fn own(&self) -> usize {
        self.own
    }

    /// Of how many only the name is left.
    pub(crate) const fn buried(&self) -> usize {
        self.buried
    }

    /// Nothing at all rests.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl Cold {
    /// How it ended.
    pub(crate) fn status(&self) -> Status {
        self.mark.status()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resting_record_costs_little() {
        assert_eq!(size_of::<Cold>(), 24);
    }

    #[test]
    fn too_many_circles_forget_who_has_it_and_never_who_accepted_it() {
        let mut table = ColdTable::default();
        let device = |n: u64| DeviceId(core::array::from_fn(|i| n.to_le_bytes()[i % 8]));
        let circle = |n| Circle { acceptors: [device(1)].into(), stored: [device(n)].into() };
        let first = table.circle_number(circle(2)).unwrap();
        for n in 3..6_000 {
            assert!(table.circle_number(circle(n)).is_some());
        }
        assert_eq!(table.circle_number(circle(2)), Some(first));
        let late = table.circle_number(circle(9_999)).unwrap();
        assert_eq!(table.circles[usize::from(late)], Circle { acceptors: [device(1)].into(), stored: Vec::new() });
    }
}
