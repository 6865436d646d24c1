//! When its time is over, a task leaves every memory and every disk, tombstones included: what is kept is bounded.

use super::Broken;
use crate::world::World;

/// Looks at a run long after the last retention was over, with everybody there.
pub fn check(world: &World) -> Broken {
    for (index, device) in world.devices.iter().enumerate() {
        let Some(core) = &device.core else { continue };
        let view = core.view();
        let (kept, buried) = (view.kept_tasks(), view.buried_tasks());
        let (records, tombs) = (device.disk.records.len(), device.disk.tombs.len());
        if kept + buried + records + tombs > 0 {
            return Err(format!(
                "d{index} keeps {kept} tasks and {buried} names, and its disk {records} records and {tombs} tombstones"
            ));
        }
    }
    Ok(())
}
