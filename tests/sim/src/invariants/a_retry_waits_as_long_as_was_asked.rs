//! An attempt after the first follows as many failures as its number says, and the pause that the client asked for: what is lost with
//! a device uses up no attempt, and a failing task does not spin.

use super::Broken;
use crate::oracle::Started;
use crate::world::World;
use rc_scheduler::Start;

/// Looks at a start.
pub fn check(world: &World, start: &Start, started: Started) -> Broken {
    let none = Vec::new();
    let failures = world.oracle.failures.get(&start.task).unwrap_or(&none);
    let before = start.attempt.saturating_sub(1) as usize;
    let name = || format!("d{} starts attempt {} of {}", started.device, start.attempt, world.names.t(start.task));
    if failures.len() < before {
        return Err(format!("{} after {} failures", name(), failures.len()));
    }
    let Some((_, failed)) = before.checked_sub(1).and_then(|last| failures.get(last)) else { return Ok(()) };
    // Clocks run up to 1 % apart.
    let pause = start.spec.retry.delay(start.task, start.attempt - 1).0 / 100 * 97;
    if started.at < failed + pause {
        return Err(format!("{} {} µs after the failure before, not {pause}", name(), started.at - failed));
    }
    Ok(())
}
