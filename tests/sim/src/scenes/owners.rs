//! What owners do to work that is under way.

use super::{brief, crowd, lengthen, put, stage, stage_with};
use crate::class::Class;
use crate::clock::{MS, SECOND};
use crate::fault::{CALM_BEFORE, Fault};
use crate::plan::Plan;
use crate::scenario::Scenario;
use rc_scheduler::Span;

pub(super) fn a_device_is_wanted_back(seed: u64) -> Scenario {
    let devices = 3 + seed as usize % 2;
    let (mut scenario, mut rng) = stage(seed, Class::Owners, devices, 120);
    let back = rng.index(devices);
    crowd(&mut scenario, 2 * SECOND, &mut rng);
    scenario.scripts.retain(|index, _| *index < 8);
    for script in scenario.scripts.values_mut() {
        let accepts = rng.index(devices);
        brief(script, accepts, &mut rng);
        script.spec.requirements.exclude_devices.clear();
        script.length = rng.between(2 * SECOND, 8 * SECOND);
        script.spec.timeout = Span::from_secs(30);
    }
    put(&mut scenario, CALM_BEFORE + rng.between(SECOND, 6 * SECOND), Fault::Pause(back, true));
    scenario.told_by = Some(CALM_BEFORE + 100 * SECOND);
    scenario
}

pub(super) fn a_stream_is_wanted_back(seed: u64) -> Scenario {
    let devices = 2 + seed as usize % 3;
    let plan = Plan { devices: Some(devices), tasks: Some(150), ..Plan::of_seed(seed).with_class(Class::Owners) };
    let (mut scenario, mut rng) = stage_with(seed, plan);
    let (back, accepts) = (rng.index(devices), rng.index(devices));
    crowd(&mut scenario, SECOND, &mut rng);
    for script in scenario.scripts.values_mut() {
        brief(script, accepts, &mut rng);
        script.spec.requirements.exclude_devices.clear();
        script.length = rng.between(5 * MS, 60 * MS);
    }
    put(&mut scenario, CALM_BEFORE + rng.between(SECOND / 3, 2 * SECOND), Fault::Pause(back, rng.chance(500_000)));
    scenario.told_by = Some(CALM_BEFORE + 12 * SECOND);
    scenario
}

pub(super) fn a_device_is_shut_down(seed: u64) -> Scenario {
    let devices = 3 + seed as usize % 2;
    let (mut scenario, mut rng) = stage(seed, Class::CrashOne, devices, 60);
    let ends = rng.index(devices);
    crowd(&mut scenario, 4 * SECOND, &mut rng);
    for script in scenario.scripts.values_mut() {
        lengthen(script, &mut rng);
        script.spec.requirements.exclude_devices.clear();
        if rng.chance(500_000) {
            (script.device, script.twice, script.spec.idempotency_key) = (ends, None, None);
        }
    }
    let at = CALM_BEFORE + rng.between(SECOND, 8 * SECOND);
    let dead = at + rng.skewed(0, 2 * SECOND);
    put(&mut scenario, at, Fault::Pause(ends, true));
    put(&mut scenario, dead, Fault::Kill(ends, rng.skewed(0, 30) as u32));
    let back = dead + rng.between(SECOND, 30 * SECOND);
    put(&mut scenario, back, Fault::Boot(ends));
    put(&mut scenario, back, Fault::Resume(ends));
    scenario
}

pub(super) fn an_owner_who_cannot_decide(seed: u64) -> Scenario {
    let devices = 3;
    let (mut scenario, mut rng) = stage(seed, Class::Owners, devices, 200);
    let runs = rng.index(devices);
    let name = scenario.devices[runs].id.0;
    crowd(&mut scenario, 2 * SECOND, &mut rng);
    scenario.scripts.retain(|index, _| *index < 2);
    for script in scenario.scripts.values_mut() {
        brief(script, rng.index(devices), &mut rng);
        script.spec.requirements.only_devices = [name].into();
        script.spec.requirements.exclude_devices.clear();
        script.length = 12 * SECOND;
        script.spec.timeout = Span::from_secs(60);
    }
    let mut at = CALM_BEFORE + 4 * SECOND;
    for _ in 0..rng.between(4, 30) {
        put(&mut scenario, at, Fault::Pause(runs, rng.chance(900_000)));
        put(&mut scenario, at + SECOND, Fault::Resume(runs));
        at += rng.between(4 * SECOND, 6 * SECOND);
    }
    scenario
}
