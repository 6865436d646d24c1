//! Tasks that lose their devices, by their own fault and without it.

use super::{brief, crowd, put, stage};
use crate::class::Class;
use crate::clock::{MS, SECOND};
use crate::fault::{CALM_BEFORE, Fault};
use crate::scenario::Scenario;
use crate::workload::Plot;
use rc_scheduler::Span;

pub(super) fn a_task_that_kills(seed: u64) -> Scenario {
    let devices = 2 + seed as usize % 4;
    let (mut scenario, mut rng) = stage(seed, Class::Crash, devices, 300);
    crowd(&mut scenario, 3 * SECOND, &mut rng);
    scenario.scripts.retain(|index, _| *index < 6);
    for (index, script) in &mut scenario.scripts {
        brief(script, rng.index(devices), &mut rng);
        script.spec.requirements.exclude_devices.clear();
        script.spec.timeout = Span::from_secs(60);
        script.length = rng.between(100 * MS, 6 * SECOND);
        script.spec.retry.crash_limit = 3;
        if *index == 0 {
            script.plot = Plot::Kills;
            script.length = rng.skewed(10 * MS, 4 * SECOND);
            script.spec.retry.crash_limit = rng.between(1, 5) as u32;
            (script.cancel_after, script.cancel_at_end) = (None, None);
        }
    }
    scenario.told_by = Some(CALM_BEFORE + 280 * SECOND);
    scenario
}

pub(super) fn a_holder_that_keeps_dying(seed: u64) -> Scenario {
    let devices = 3;
    let (mut scenario, mut rng) = stage(seed, Class::Crash, devices, 200);
    let dies = rng.index(devices);
    let name = scenario.devices[dies].id.0;
    crowd(&mut scenario, 2 * SECOND, &mut rng);
    for script in scenario.scripts.values_mut() {
        brief(script, (dies + 1) % devices, &mut rng);
        script.spec.requirements.only_devices = [name].into();
        script.spec.requirements.exclude_devices.clear();
        script.length = 12 * SECOND;
        script.spec.timeout = Span::from_secs(60);
        script.spec.retry.crash_limit = 0;
    }
    scenario.scripts.retain(|index, _| *index < 3);
    let times = rng.between(4, 28);
    let mut at = CALM_BEFORE + 4 * SECOND;
    for _ in 0..times {
        put(&mut scenario, at, Fault::Kill(dies, 0));
        put(&mut scenario, at + SECOND, Fault::Boot(dies));
        at += rng.between(5 * SECOND, 8 * SECOND);
    }
    scenario
}

pub(super) fn holders_out_of_reach(seed: u64) -> Scenario {
    let devices = 5;
    let (mut scenario, mut rng) = stage(seed, Class::Partition, devices, 120);
    crowd(&mut scenario, SECOND, &mut rng);
    scenario.scripts.retain(|index, _| *index < 3);
    let may: Vec<_> = (2..5).collect();
    let names: Vec<_> = may.iter().map(|device| scenario.devices[*device].id.0).collect();
    for script in scenario.scripts.values_mut() {
        brief(script, rng.index(2), &mut rng);
        script.spec.requirements.only_devices = names.iter().copied().collect();
        script.spec.requirements.exclude_devices.clear();
        script.spec.requirements.exclusive = false;
        script.spec.side_effects = false;
        script.length = 60 * SECOND;
        script.spec.timeout = Span::from_secs(200);
        script.spec.retry.crash_limit = rng.between(1, 3) as u32;
        (script.cancel_after, script.cancel_at_end) = (None, None);
    }
    let mut at = CALM_BEFORE + 5 * SECOND;
    for device in may {
        for other in (0..devices).filter(|other| *other != device) {
            for (from, to) in [(device, other), (other, device)] {
                put(&mut scenario, at, Fault::Cut(from, to));
                put(&mut scenario, CALM_BEFORE + 70 * SECOND, Fault::Mend(from, to));
            }
        }
        at += rng.between(14 * SECOND, 18 * SECOND);
    }
    scenario
}

pub(super) fn the_last_copy(seed: u64) -> Scenario {
    let devices = 6;
    let (mut scenario, mut rng) = stage(seed, Class::Partition, devices, 60);
    let accepts = rng.index(devices);
    let keeps = (accepts + 1) % devices;
    let runs = scenario.devices[(accepts + 2) % devices].id.0;
    for script in scenario.scripts.values_mut() {
        brief(script, accepts, &mut rng);
        script.at = CALM_BEFORE + rng.between(8 * SECOND, 12 * SECOND);
        // They wait until all is mended.
        script.spec.requirements.only_devices = [runs].into();
        script.spec.requirements.exclude_devices.clear();
    }
    let (dies, mend) = (CALM_BEFORE + 20 * SECOND, CALM_BEFORE + 30 * SECOND);
    for other in (0..devices).filter(|other| ![accepts, keeps].contains(other)) {
        for (from, to) in [(accepts, other), (other, accepts), (keeps, other), (other, keeps)] {
            put(&mut scenario, CALM_BEFORE, Fault::Cut(from, to));
            put(&mut scenario, mend, Fault::Mend(from, to));
        }
    }
    put(&mut scenario, dies, Fault::Destroy(accepts));
    scenario
}
