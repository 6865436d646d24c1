//! A lease is started once, by the device it names; a process that starts again does not start it again.

use super::Broken;
use crate::oracle::Started;
use crate::world::World;
use rc_scheduler::Start;

/// Looks at a start.
pub fn check(world: &World, start: &Start, started: Started) -> Broken {
    let before = world.oracle.starts.get(&start.task).into_iter().flatten().find(|s| s.epoch == start.epoch);
    match before {
        Some(before) => Err(format!(
            "d{} starts {} under lease {}, which d{} had started at {} µs",
            started.device,
            world.names.t(start.task),
            start.epoch,
            before.device,
            before.at
        )),
        None => Ok(()),
    }
}
