//! A task that takes its devices down does so as often as its crash limit says, and at most once more for each device: one that is
//! merely silent may be back, and counts when it is back as somebody else.

use super::Broken;
use crate::world::World;
use rc_scheduler::TaskId;

/// Looks when a device was taken down.
pub fn check(world: &World, task: TaskId) -> Broken {
    let script = world.names.script(task).map(|script| &world.scripts[script]);
    let Some(limit) = script.map(|script| script.spec.retry.crash_limit).filter(|limit| *limit > 0) else {
        return Ok(());
    };
    let kills = world.oracle.kills.get(&task).copied().unwrap_or_default();
    if kills as usize > limit as usize + world.n() {
        return Err(format!("{} took {kills} devices down, and its limit is {limit}", world.names.t(task)));
    }
    Ok(())
}
