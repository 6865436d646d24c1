//! A scene may say by when every accepted task must have ended, and somebody must have been told, although not everything is mended:
//! one device that fails holds nobody up for longer than the rules say.

use super::Broken;
use crate::world::World;

/// Looks at that moment.
pub fn check(world: &World) -> Broken {
    let told = |task| world.oracle.told.range((task, 0)..=(task, u32::MAX)).next().is_some();
    let open: Vec<_> =
        world.oracle.accepted.keys().filter(|task| !told(**task)).take(6).map(|task| world.names.t(*task)).collect();
    if open.is_empty() { Ok(()) } else { Err(format!("nobody was told how these ended: {}", open.join(" "))) }
}
