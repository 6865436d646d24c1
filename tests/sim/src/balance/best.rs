//! How soon a bag of tasks could be done by somebody who knows more than any device does, or less. No messages, no disks.

use crate::clock::Micros;
use crate::grid::{Job, Machine};
use std::cmp::Reverse;

/// What no schedule can be shorter than, even one that may move a running task from slot to slot at any moment: for every number, so many
/// longest tasks on so many fastest slots, and all work on all slots.
#[must_use]
pub fn bound(machines: &[Machine], jobs: &[Job]) -> Micros {
    let mut speeds = slots(machines);
    speeds.sort_unstable_by_key(|speed| Reverse(*speed));
    let mut lengths: Vec<_> = jobs.iter().map(|job| job.length).collect();
    lengths.sort_unstable_by_key(|length| Reverse(*length));
    let all = lengths.iter().sum::<u64>() * 1_000 / speeds.iter().sum::<u64>().max(1);
    let (mut work, mut speed, mut most) = (0, 0, all);
    for (length, slot) in lengths.iter().zip(&speeds) {
        (work, speed) = (work + length, speed + slot);
        most = most.max(work * 1_000 / speed);
    }
    most
}

/// Who knows how long each task is and how fast each slot: the longest first, each where it ends soonest.
#[must_use]
pub fn all_known(machines: &[Machine], jobs: &[Job]) -> Micros {
    let mut lengths: Vec<_> = jobs.iter().map(|job| job.length).collect();
    lengths.sort_unstable_by_key(|length| Reverse(*length));
    let mut free: Vec<(Micros, u64)> = slots(machines).into_iter().map(|speed| (0, speed)).collect();
    for length in lengths {
        let end = |(at, speed): &(Micros, u64)| at + length * 1_000 / speed;
        if let Some(slot) = free.iter_mut().min_by_key(|slot| (end(slot), Reverse(slot.1))) {
            slot.0 = end(slot);
        }
    }
    free.iter().map(|(at, _)| *at).max().unwrap_or(0)
}

/// Who knows neither how long a task is nor moves one that runs: each task in turn goes to the slot that is free first, the fastest of those
/// that are.
#[must_use]
pub fn in_line(machines: &[Machine], jobs: &[Job]) -> Micros {
    let mut free: Vec<(Micros, u64)> = slots(machines).into_iter().map(|speed| (0, speed)).collect();
    let mut last = 0;
    for job in jobs {
        free.sort_unstable_by_key(|(at, speed)| (*at, Reverse(*speed)));
        free[0].0 += job.length * 1_000 / free[0].1;
        last = last.max(free[0].0);
    }
    last
}

/// Who knows of each task how long those of its type take on the whole: the longest types first, each task where it should end soonest.
#[must_use]
pub fn types_known(machines: &[Machine], jobs: &[Job], longest_first: bool) -> Micros {
    let mean = |kind: &str| {
        let lengths: Vec<_> = jobs.iter().filter(|job| job.spec.task_type == kind).map(|job| job.length).collect();
        lengths.iter().sum::<u64>() / lengths.len().max(1) as u64
    };
    let mut jobs: Vec<_> = jobs.iter().map(|job| (mean(&job.spec.task_type), job.length)).collect();
    if longest_first {
        jobs.sort_by_key(|(mean, _)| Reverse(*mean));
    }
    // A task waits for the slot where it should end soonest; how long those before it take is known when they have ended.
    let mut free: Vec<(Micros, u64)> = slots(machines).into_iter().map(|speed| (0, speed)).collect();
    for (mean, length) in jobs {
        let end = |(at, speed): &(Micros, u64)| at + mean * 1_000 / speed;
        if let Some(slot) = free.iter_mut().min_by_key(|slot| (end(slot), Reverse(slot.1))) {
            slot.0 += length * 1_000 / slot.1;
        }
    }
    free.iter().map(|(at, _)| *at).max().unwrap_or(0)
}

fn slots(machines: &[Machine]) -> Vec<u64> {
    let of = |machine: &Machine| vec![machine.speed_permille; machine.capacity.max_concurrent_tasks as usize];
    machines.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::SECOND;

    #[test]
    fn nobody_is_faster_than_the_bound_and_knowing_more_helps() {
        let machines = [Machine::equal(0, 1).speed(2_000), Machine::equal(1, 1)];
        let jobs = |lengths: &[u64]| -> Vec<_> { lengths.iter().map(|s| Job::new("sleep", s * SECOND)).collect() };
        let two = jobs(&[6, 6]);
        // Two on two slots of speed 3: not before 4 s; one after the other on the fast one takes 6, one on each 6.
        assert_eq!(bound(&machines, &two), 4 * SECOND);
        assert_eq!(all_known(&machines, &two), 6 * SECOND);
        assert_eq!(bound(&machines, &jobs(&[6])), 3 * SECOND, "a task has no more than one slot");
        let late = jobs(&[1, 1, 1, 1, 9]);
        assert!(all_known(&machines, &late) < in_line(&machines, &late));
        assert!(bound(&machines, &late) <= all_known(&machines, &late));
        assert_eq!(types_known(&machines, &two, true), 6 * SECOND);
    }
}
