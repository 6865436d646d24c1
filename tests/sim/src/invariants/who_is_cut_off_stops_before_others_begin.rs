//! A device that nothing reaches stops what others have granted to it, if running it twice may do harm, before those others can have
//! given it up and begun again elsewhere. It is in time because nobody is given up before that.

use super::Broken;
use crate::class::Class;
use crate::oracle::Started;
use crate::world::{Stage, World};
use rc_scheduler::Start;

/// Looks at a start.
pub fn check(world: &World, start: &Start, started: Started) -> Broken {
    // Where links are slow or attempts deaf, who reaches whom says little about who hears whom in time.
    let unclear = matches!(world.plan.class, Class::Hang | Class::Latency | Class::Mixed);
    if unclear || !start.spec.side_effects {
        return Ok(());
    }
    for (index, device) in world.devices.iter().enumerate() {
        let reached =
            |peer: usize| peer != index && world.devices[peer].is_awake() && world.net.is_open_both(index, peer);
        if index == started.device || !device.is_awake() || (0..world.n()).any(reached) {
            continue;
        }
        let granted = |epoch| world.oracle.leases.get(&(start.task, epoch)).is_some_and(|lease| lease.device != index);
        let on = device.executor.of(start.task).find(|(epoch, run)| granted(*epoch) && run.stage != Stage::Stopping);
        if let Some((epoch, _)) = on {
            return Err(format!(
                "d{} starts {} under lease {}, and d{index}, which is cut off, runs it on under lease {epoch}",
                started.device,
                world.names.t(start.task),
                start.epoch
            ));
        }
    }
    Ok(())
}
