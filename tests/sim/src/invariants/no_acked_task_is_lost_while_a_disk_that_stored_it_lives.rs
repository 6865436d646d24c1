//! What was accepted is known to somebody at the end, if any disk that was named in the reply is left.

use super::Broken;
use crate::world::World;

/// Looks at the whole world, when all that can be up is up.
pub fn check(world: &World) -> Broken {
    for (task, accepted) in &world.oracle.accepted {
        let left = (0..world.n()).any(|i| accepted.disks.0 & (1 << i) != 0 && !world.is_gone(i));
        let known = world.devices.iter().any(|d| d.core.as_ref().is_some_and(|core| core.view().keeps(*task)));
        if left && !known && !world.oracle.buried.contains_key(task) {
            return Err(format!(
                "{} was accepted on disks {:b}, and nobody knows it",
                world.names.t(*task),
                accepted.disks.0
            ));
        }
    }
    Ok(())
}
