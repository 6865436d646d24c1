//! When nothing goes wrong, each task starts as often as its script has attempts, and ends as the script says; a client's keyed
//! repetition included.

use super::Broken;
use crate::world::World;

/// Looks at a calm run when all is settled.
pub fn check(world: &World) -> Broken {
    if !world.plan.class.is_calm() {
        return Ok(());
    }
    for (task, accepted) in &world.oracle.accepted {
        let disturbed = world.oracle.cancels.contains_key(task);
        let script = &world.scripts[accepted.script];
        if disturbed || !script.spec.after.is_empty() {
            continue;
        }
        let name = world.names.t(*task);
        let starts = world.oracle.starts.get(task).map_or(0, Vec::len);
        if starts != script.attempts() as usize {
            return Err(format!("{name} has {} attempts and was started {starts} times", script.attempts()));
        }
        let end = world.oracle.told.get(&(*task, 0)).and_then(|told| told.first()).map(|told| told.status);
        if end != Some(script.end()) {
            return Err(format!("{name} should be {} and was told as {end:?}", script.end()));
        }
    }
    Ok(())
}
