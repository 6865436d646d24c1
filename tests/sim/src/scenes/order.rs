//! What comes in which order, and where it waits.

use super::{brief, stage_with};
use crate::class::Class;
use crate::clock::{MS, SECOND};
use crate::fault::CALM_BEFORE;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::scenario::Scenario;
use rc_scheduler::Span;

/// Devices of which every one runs two at once, and tasks of one device: short ones, and long ones behind them.
fn long_behind_short(seed: u64, class: Class) -> (Scenario, Rng) {
    let devices = 3 + seed as usize % 3;
    let plan = Plan { devices: Some(devices), tasks: Some(130), ..Plan::of_seed(seed).with_class(class) };
    let (mut scenario, mut rng) = stage_with(seed, plan);
    scenario.devices.iter_mut().for_each(|device| device.slots = 2);
    let accepts = rng.index(devices);
    for (index, script) in &mut scenario.scripts {
        brief(script, accepts, &mut rng);
        script.spec.requirements = rc_scheduler::Requirements::default();
        (script.cancel_after, script.cancel_at_end, script.spec.idempotency_key) = (None, None, None);
        let long = index % 130 >= 110;
        script.length = if long { rng.between(4 * SECOND, 9 * SECOND) } else { rng.between(5 * MS, 20 * MS) };
        script.at = CALM_BEFORE + if long { rng.between(700 * MS, 900 * MS) } else { rng.between(0, 700 * MS) };
        script.spec.timeout = Span::from_secs(200);
    }
    (scenario, rng)
}

pub(super) fn long_work_behind_short(seed: u64) -> Scenario {
    long_behind_short(seed, Class::None).0
}
