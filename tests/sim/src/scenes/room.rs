//! Room that nobody uses: what is in its way.

use super::{brief, put, stage, stage_with};
use crate::class::Class;
use crate::clock::{MS, SECOND};
use crate::fault::{CALM_BEFORE, Fault};
use crate::plan::Plan;
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::workload::Script;
use rc_scheduler::{Requirements, Span};

/// A task without needs of its own, submitted at this device.
fn plain(script: &mut Script, device: usize, rng: &mut Rng) {
    brief(script, device, rng);
    script.spec.requirements = Requirements::default();
    (script.cancel_after, script.cancel_at_end, script.again_after) = (None, None, None);
    (script.spec.idempotency_key, script.also_after) = (None, Vec::new());
    script.spec.timeout = Span::from_secs(60);
}

/// The only device that could run some tasks is gone for good; they wait at one that others want.
pub(super) fn what_nobody_can_run(seed: u64) -> Scenario {
    let devices = 3;
    let (mut scenario, mut rng) = stage(seed, Class::DiskDeath, devices, 60);
    let gone = rng.index(devices);
    let [wanted, wants] = [1, 2].map(|next| (gone + next) % devices);
    scenario.devices[wanted].slots = rng.between(1, 2) as u32;
    let names: Vec<_> = scenario.devices.iter().map(|device| device.id.0).collect();
    for (index, script) in &mut scenario.scripts {
        let waits = index % 3 == 0;
        plain(script, if waits { wanted } else { wants }, &mut rng);
        script.spec.requirements.only_devices = [names[if waits { gone } else { wanted }]].into();
        script.at = CALM_BEFORE + SECOND + rng.between(0, if waits { SECOND } else { 10 * SECOND });
    }
    put(&mut scenario, CALM_BEFORE, Fault::Destroy(gone));
    scenario
}

/// Tasks that want a device of their own, each submitted where something long has just begun that leaves slots free.
pub(super) fn a_device_of_its_own(seed: u64) -> Scenario {
    let devices = 2 + seed as usize % 2;
    let plan =
        Plan { devices: Some(devices), tasks: Some(6), seconds: 80, ..Plan::of_seed(seed).with_class(Class::None) };
    let (mut scenario, mut rng) = stage_with(seed, plan);
    scenario.devices.iter_mut().for_each(|device| device.slots = rng.between(2, 4) as u32);
    let accepts = rng.index(devices);
    for (index, script) in &mut scenario.scripts {
        plain(script, accepts, &mut rng);
        let round = CALM_BEFORE + (*index as u64 / 2) * 20 * SECOND;
        script.spec.requirements.exclusive = index % 2 == 1;
        script.at = round + if index % 2 == 1 { rng.between(0, 50 * MS) } else { 0 };
        script.length = if index % 2 == 1 { SECOND } else { rng.between(9 * SECOND, 15 * SECOND) };
    }
    scenario
}
