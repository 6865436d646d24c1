//! With one failure at a time and no split, a task with side effects never runs on two devices at once.

use super::Broken;
use crate::class::Class;
use crate::oracle::Started;
use crate::world::{Stage, World};
use rc_scheduler::Start;

/// Looks at a start.
pub fn check(world: &World, start: &Start, started: Started) -> Broken {
    // Between two devices a cut, even of one direction, is a split: there is no third to hear both.
    let split = world.n() == 2 && matches!(world.plan.class, Class::OneWay | Class::PairCut);
    if split || world.plan.class.may_overlap() || !start.spec.side_effects {
        return Ok(());
    }
    for (index, device) in world.devices.iter().enumerate() {
        let other = device.executor.of(start.task).find(|(epoch, run)| {
            *epoch != start.epoch && run.stage != Stage::Stopping && device.executor.asleep_since.is_none()
        });
        if let Some((epoch, run)) = other {
            return Err(format!(
                "d{} starts {} under lease {}, and d{index} runs it since {} µs under lease {epoch}",
                started.device,
                world.names.t(start.task),
                start.epoch,
                run.started
            ));
        }
    }
    Ok(())
}
