//! A terminal state that somebody was told (on two disks) is the terminal state for everybody and for ever, unless whoever settled
//! differently was out of contact with every disk that had it: a split, shown by the trace.

use crate::oracle::{Set, Told, same_end, status_of};
use crate::world::World;
use rc_scheduler::{FactKey, Record, TaskId};

/// What a client learns from a record, if that is an end.
#[must_use]
pub fn read(world: &World, device: usize, task: TaskId, record: &Record) -> Option<Told> {
    let state = record.resolve();
    let status = state.status();
    if !status.is_terminal() {
        return None;
    }
    let settled = state.settled?.clone();
    let key = FactKey::Settled(settled.round, settled.term, settled.by, settled.by_inc);
    let holders = Set::of(world.n(), |i| world.devices[i].disk.has(task, &key));
    let claimed = state.stable.map_or(0, |stable| stable.disks);
    Some(Told { at: world.now, device, status, settled, claimed, holders })
}

/// Whether what is told now goes with what was told before; true: it does not, and that is excused.
pub fn check(world: &World, task: TaskId, told: &Told) -> Result<bool, String> {
    if status_of(&told.settled.verdict) != told.status {
        return Err(format!(
            "{} is told as {} and decided as {:?}",
            world.names.t(task),
            told.status,
            told.settled.verdict
        ));
    }
    let earlier = world.oracle.told.get(&(task, told.settled.round));
    let Some(first) = earlier.into_iter().flatten().find(|first| !same_end(&first.settled, &told.settled)) else {
        return Ok(false);
    };
    if first.claimed < 2 && world.n() > 1 && !world.plan.class.is_calm() {
        return Ok(true);
    }
    let written =
        world.oracle.settlements.get(&task).into_iter().flatten().find(|(settled, _)| *settled == told.settled);
    let apart = written.is_some_and(|(_, written)| written.contacts.and(first.holders).is_empty());
    // Whichever of the two was decided second had the excuse.
    let first_written =
        world.oracle.settlements.get(&task).into_iter().flatten().find(|(settled, _)| *settled == first.settled);
    let first_apart = first_written.is_some_and(|(_, first_written)| {
        written.is_some_and(|(_, second)| {
            first_written.at > second.at && first_written.contacts.0 & (1 << second.device) == 0
        })
    });
    if !world.plan.class.is_strict() && (apart || first_apart) {
        return Ok(true);
    }
    Err(format!(
        "{} was told at {} µs by d{} as {:?} (term {}, on disks {:b}), and now by d{} as {:?} (term {}, written by d{} at {} µs in contact with {:b})",
        world.names.t(task),
        first.at,
        first.device,
        first.settled.verdict,
        first.settled.term,
        first.holders.0,
        told.device,
        told.settled.verdict,
        told.settled.term,
        written.map_or(99, |(_, w)| w.device),
        written.map_or(0, |(_, w)| w.at),
        written.map_or(0, |(_, w)| w.contacts.0),
    ))
}
