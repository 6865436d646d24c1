//! Owners may take their devices back as often as they like: a task ends as its script says, as if nobody had.

use super::Broken;
use crate::class::Class;
use crate::world::World;

/// Looks at a run in which nothing else went wrong, when all is settled.
pub fn check(world: &World) -> Broken {
    if world.plan.class != Class::Owners {
        return Ok(());
    }
    for (task, accepted) in &world.oracle.accepted {
        let script = &world.scripts[accepted.script];
        if world.oracle.cancels.contains_key(task)
            || world.oracle.reopens.contains(task)
            || !script.spec.after.is_empty()
        {
            continue;
        }
        let end = world.oracle.told.get(&(*task, 0)).and_then(|told| told.first()).map(|told| told.status);
        if end != Some(script.end()) {
            return Err(format!("{} should be {} and was told as {end:?}", world.names.t(*task), script.end()));
        }
    }
    Ok(())
}
