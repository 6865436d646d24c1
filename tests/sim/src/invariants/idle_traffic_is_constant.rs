//! A cluster that has nothing to do says the same little, minute after minute, however many tasks it remembers.

use super::Broken;
use crate::world::{Stats, World};

/// Looks at the counts at three moments of idleness, equally far apart.
pub fn check(world: &World, counts: [Stats; 3]) -> Broken {
    let pairs = (world.n() * (world.n() - 1)) as u64;
    let frames = [counts[1].frames - counts[0].frames, counts[2].frames - counts[1].frames];
    let bytes = [counts[1].bytes - counts[0].bytes, counts[2].bytes - counts[1].bytes];
    let slack = 20 + frames[0] / 10;
    if frames[0].abs_diff(frames[1]) > slack {
        return Err(format!("frames in two equal spans of idleness: {frames:?}"));
    }
    if bytes[0].abs_diff(bytes[1]) > 2_000 + bytes[0] / 10 {
        return Err(format!("bytes in two equal spans of idleness: {bytes:?}"));
    }
    // Two beats a second on each direction, and now and then a digest.
    if frames[1] > pairs * 60 * 3 + 60 {
        return Err(format!("{} frames in an idle minute between {} devices", frames[1], world.n()));
    }
    if counts[2].entries != counts[0].entries {
        return Err(format!("{} entries written to disk in idleness", counts[2].entries - counts[0].entries));
    }
    Ok(())
}
