//! A reply that names disks, or a number of them, is true at that moment.

use super::Broken;
use crate::oracle::{Set, Told};
use crate::world::World;
use rc_scheduler::{Fact, TaskId};

/// Looks at the reply to a submit.
pub fn accepted(world: &World, device: usize, script: usize, task: TaskId, disks: Set) -> Broken {
    if disks.0 & (1 << device) == 0 {
        return Err(format!("d{device} accepts {} and does not count itself", world.names.t(task)));
    }
    for i in (0..world.n()).filter(|i| disks.0 & (1 << i) != 0) {
        let disk = &world.devices[i].disk;
        if !disk.destroyed && !disk.facts(task).any(|fact| matches!(fact, Fact::Submitted(_))) {
            return Err(format!("d{device} says that d{i} has {} on disk; it has not", world.names.t(task)));
        }
    }
    let keyed = world.scripts[script].spec.idempotency_key.is_some();
    match world.tasks.get(&script) {
        Some(known) if keyed && *known != task => Err(format!("one key and one specification gave {known} and {task}")),
        _ => Ok(()),
    }
}

/// Looks at a reported end.
pub fn told(world: &World, task: TaskId, told: &Told) -> Broken {
    let gone = world.devices.iter().filter(|d| d.disk.destroyed).count() as u32;
    // Who has buried it had it.
    let buried = world.oracle.buried.get(&task).map_or(0, |buried| buried.0 & !told.holders.0).count_ones();
    // Who knows that it has begun again had the decision, too.
    let later = |fact: &Fact| matches!(fact, Fact::Reopened(f) if f.round > told.settled.round);
    let later = Set::of(world.n(), |i| world.devices[i].disk.facts(task).any(later)).0 & !told.holders.0;
    if told.claimed > told.holders.len() + gone + buried + later.count_ones() || told.claimed == 0 {
        return Err(format!(
            "d{} reports {} {} on {} disks; it is on {:b}",
            told.device,
            world.names.t(task),
            told.status,
            told.claimed,
            told.holders.0
        ));
    }
    // A device that joins later finds what was decided while there was only one.
    let first = !world.oracle.told.keys().any(|(known, _)| *known == task);
    let lonely = first && told.claimed < 2 && world.plan.class.is_calm() && world.n() > 1;
    let near = world.devices[told.device]
        .core
        .as_ref()
        .is_some_and(|core| core.view().peers().any(|peer| peer.liveness == rc_scheduler::Liveness::Up));
    if lonely && near && world.devices.iter().all(|d| d.joined) {
        return Err(format!("{} is reported with one disk, and nobody is away", world.names.t(task)));
    }
    Ok(())
}
