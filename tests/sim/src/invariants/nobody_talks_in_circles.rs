//! What happens in a span of time is bounded by the number of devices and tasks: no two devices answer each other for ever.

use super::Broken;
use crate::world::World;

/// Looks at the number of events within ten seconds.
pub fn check(world: &World, events: u64) -> Broken {
    let (devices, tasks) = (world.n() as u64, world.scripts.len() as u64);
    let most = 2_000 + 300 * devices * devices + 100 * tasks;
    if events > most {
        return Err(format!("{events} events within ten seconds among {devices} devices with {tasks} tasks"));
    }
    Ok(())
}
