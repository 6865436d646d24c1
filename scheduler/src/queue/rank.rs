//! Which of several heads goes first: by dynamic priority; within a batch, by how long its type runs (rules 22a, 22b).

use super::{Class, Heads, Kind, Line, Lot, Scale};
use crate::id::TaskId;
use crate::placement::contention;
use crate::task::Priority;
use crate::time::{Mono, Span};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// The dynamic priority in thousandths.
pub(super) fn dynamic(priority: Priority, wait: Span, mean_run: Span) -> u64 {
    let weight = u64::from(priority.weight_permille()) * 1_000;
    weight + wait.0.saturating_mul(1_000) / (1_000_000 + mean_run.0)
}

/// What a dynamic priority is worth: that of a fresh task of this priority, or more.
pub(super) fn worth(dynamic: u64) -> Priority {
    let reached = |priority: &&Priority| u64::from(priority.weight_permille()) * 1_000 <= dynamic;
    Priority::ALL.iter().filter(reached).max().copied().unwrap_or(Priority::Background)
}

/// A head and its place in the order: the least goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) dynamic: Reverse<u64>,
    contention: Reverse<u32>,
    since: Mono,
    pub(super) task: TaskId,
    pub(super) class: Class,
}

/// Its place among those of its batch: the least goes first. A batch has ended when its last task has, so what runs longest must not
/// come last; and a type of which nobody knows how long it runs is tried first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    length: Reverse<Span>,
    rank: Rank,
}

impl Place {
    fn of(kind: &Kind, (since, task, class): (Mono, TaskId, Class), scale: &Scale<'_>) -> Self {
        let (wait, known) = (scale.now.since(since), scale.runs.known(&kind.task_type));
        let rank = Rank {
            dynamic: Reverse(dynamic(class.priority, wait, known.unwrap_or_default())),
            contention: Reverse(contention(kind.demand, scale.supply, wait).total()),
            since,
            task,
            class,
        };
        Self { length: Reverse(known.unwrap_or(Span(u64::MAX))), rank }
    }
}

/// The head that goes first. Of a batch only the one is compared with others that goes first among its own.
pub(super) fn best(heads: &Heads, scale: &Scale<'_>) -> Option<Rank> {
    let firsts = heads.iter().filter_map(|(kind, heads)| Some((kind.lot, Place::of(kind, *heads.first()?, scale))));
    let (mut best, mut of_lot): (Option<Rank>, Option<(Lot, Place)>) = (None, None);
    let least = |best: Option<Rank>, rank| Some(best.map_or(rank, |best: Rank| best.min(rank)));
    for (lot, place) in firsts {
        match (lot, of_lot) {
            (Some(lot), Some((same, first))) if lot == same => of_lot = Some((lot, first.min(place))),
            (Some(lot), before) => {
                best = before.map_or(best, |(_, first)| least(best, first.rank));
                of_lot = Some((lot, place));
            }
            (None, _) => best = least(best, place.rank),
        }
    }
    of_lot.map_or(best, |(_, first)| least(best, first.rank))
}

/// All tasks of these lines in their order, each with the time that those of its type take.
pub(super) fn sorted(lines: &BTreeMap<Class, Line>, tasks: usize, scale: &Scale<'_>) -> Vec<(TaskId, Span)> {
    let place =
        |class: &Class, line: &Line, (since, task): (Mono, TaskId)| Place::of(&line.kind, (since, task, *class), scale);
    let mut firsts: BTreeMap<(Priority, Lot), Place> = BTreeMap::new();
    for (class, line) in lines {
        if let (Some(lot), Some(first)) = (class.lot, line.tasks.first()) {
            let place = place(class, line, *first);
            firsts.entry((class.priority, lot)).and_modify(|least| *least = place.min(*least)).or_insert(place);
        }
    }
    let mut all = Vec::with_capacity(tasks);
    for (class, line) in lines {
        let mean = scale.runs.mean(&line.kind.task_type);
        let first = class.lot.and_then(|lot| firsts.get(&(class.priority, lot)));
        let places = line.tasks.iter().map(|task| place(class, line, *task));
        all.extend(places.map(|place| (first.map_or(place.rank, |first| first.rank), place, mean)));
    }
    all.sort_unstable();
    all.into_iter().map(|(_, place, mean)| (place.rank.task, mean)).collect()
}
