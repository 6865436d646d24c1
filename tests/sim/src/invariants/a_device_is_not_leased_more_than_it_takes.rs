//! A device has no more open leases than it offered to take: about a second of work, never less than its slots. Guardians that
//! ignore what it offers, or believe old gossip, would heap the whole backlog on it.

use super::Broken;
use crate::clock::SECOND;
use crate::world::World;

/// An offer is good for so long, and another may follow when it has been used.
const OFFERED_WITHIN: u64 = 3 * SECOND;

/// Looks at a device that was given a lease.
pub fn check(world: &World, device: usize) -> Broken {
    if !world.plan.class.is_calm() {
        return Ok(());
    }
    let open = world.oracle.open.get(&device).map_or(0, |open| open.len());
    let slots = world.devices[device].capacity.max_concurrent_tasks as usize;
    let ended = world
        .oracle
        .ends
        .get(&device)
        .map_or(0, |ends| ends.iter().rev().take_while(|at| world.now - **at <= OFFERED_WITHIN).count());
    let most = 2 * slots.max(ended);
    if open > most {
        return Err(format!("d{device} has {slots} slots, ended {ended} attempts lately, and is given {open} leases"));
    }
    Ok(())
}
