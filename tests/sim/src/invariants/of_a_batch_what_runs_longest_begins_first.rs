//! When nothing goes wrong, a guardian that knows how long a type runs does not lease its tasks while tasks of the same batch wait whose
//! type runs longer, or may: more than a few in a row only when those wait for an answer.

use super::Broken;
use crate::clock::Micros;
use crate::workload::Script;
use crate::world::World;
use rc_scheduler::{Epoch, TaskId};

/// Shorter ones in a row: as many as there is room in hand for while the best device of a longer one is asked.
pub const IN_A_ROW_MAX: u32 = 8;

/// Looks at a device that leases a task.
pub fn check(world: &mut World, granter: usize, task: TaskId, epoch: Epoch) -> Broken {
    if !world.plan.class.is_calm() || world.oracle.leases.range((task, Epoch(0))..(task, epoch)).next().is_some() {
        return Ok(());
    }
    let Some(script) = world.names.script(task) else { return Ok(()) };
    let Some(first) = first_of_its_batch(world, script) else { return Ok(()) };
    let count = if is_known(world, granter, &world.scripts[script]) && longer_waits(world, granter, script, first) {
        world.oracle.shorter.get(&first).map_or(1, |count| count + 1)
    } else {
        0
    };
    world.oracle.shorter.insert(first, count);
    if count > IN_A_ROW_MAX {
        let one = world.names.t(task);
        return Err(format!(
            "d{granter} has leased {count} in a row, {one} the last, while longer ones of the batch wait"
        ));
    }
    Ok(())
}

fn first_of_its_batch(world: &World, script: usize) -> Option<usize> {
    let is_of = |first: &usize| first + world.scripts[*first].batch >= script && !world.scripts[*first].asks.is_empty();
    (0..=script).rev().find(is_of)
}

/// The end of a task of this type was told there.
fn is_known(world: &World, granter: usize, script: &Script) -> bool {
    world.oracle.told.keys().any(|(task, _)| {
        let told = world.names.script(*task).map(|script| &world.scripts[script]);
        told.is_some_and(|told| told.device == granter && told.spec.task_type == script.spec.task_type)
    })
}

fn longer_waits(world: &World, granter: usize, script: usize, first: usize) -> bool {
    let one = &world.scripts[script];
    let born = world.devices[granter].born;
    let lengths = |kind: &str| -> Vec<Micros> {
        world.scripts.iter().filter(|script| script.spec.task_type == kind).map(|script| script.length).collect()
    };
    let longest = lengths(&one.spec.task_type).into_iter().max().unwrap_or_default();
    world.oracle.accepted.iter().any(|(task, accepted)| {
        let other = &world.scripts[accepted.script];
        (first..=first + world.scripts[first].batch).contains(&accepted.script)
            && other.device == granter
            && accepted.at >= born
            && other.spec.priority == one.spec.priority
            && other.spec.submitter == one.spec.submitter
            && other.spec.requirements == rc_scheduler::Requirements::default()
            && other.after.is_none()
            && !world.oracle.was_leased(*task)
            && !world.oracle.cancels.contains_key(task)
            && lengths(&other.spec.task_type).into_iter().min().is_some_and(|least| least > 2 * longest)
    })
}
