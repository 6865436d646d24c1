//! What is lost on its way: links that fail, devices that die around their ends, disks that take the last copy with them.

use super::{brief, crowd, lengthen, put, stage};
use crate::class::Class;
use crate::clock::{MS, SECOND};
use crate::fault::{CALM_BEFORE, Fault};
use crate::scenario::Scenario;
use crate::workload::Plot;
use rc_scheduler::Span;

pub(super) fn failing_link(seed: u64) -> Scenario {
    let devices = 3 + seed as usize % 3;
    let (mut scenario, mut rng) = stage(seed, Class::PowerOne, devices, 60);
    let fails = rng.index(devices);
    crowd(&mut scenario, 6 * SECOND, &mut rng);
    for script in scenario.scripts.values_mut() {
        lengthen(script, &mut rng);
        if rng.chance(700_000) {
            (script.device, script.twice, script.spec.idempotency_key) = (fails, None, None);
        }
    }
    for device in (0..devices).filter(|device| *device != fails) {
        put(&mut scenario, CALM_BEFORE, Fault::Disk(device, rng.between(2 * SECOND, 10 * SECOND / 3)));
    }
    let at = CALM_BEFORE + rng.between(SECOND / 4, 6 * SECOND);
    let off = at + rng.skewed(10 * MS, 3 * SECOND);
    for other in (0..devices).filter(|other| *other != fails) {
        if rng.chance(500_000) {
            put(&mut scenario, at, Fault::Cut(fails, other));
            put(&mut scenario, off + 20 * SECOND, Fault::Mend(fails, other));
        }
    }
    put(&mut scenario, off, Fault::PowerOff(fails, 0));
    put(&mut scenario, off + 25 * SECOND, Fault::Boot(fails));
    scenario
}

pub(super) fn dies_at_its_end(seed: u64) -> Scenario {
    let devices = 3;
    let class = if seed.is_multiple_of(2) { Class::CrashOne } else { Class::PowerOne };
    let (mut scenario, mut rng) = stage(seed, class, devices, 60);
    let dies = rng.index(devices);
    crowd(&mut scenario, 2 * SECOND, &mut rng);
    for script in scenario.scripts.values_mut() {
        script.length = rng.between(200 * MS, 2 * SECOND);
        script.spec.timeout = Span::from_secs(20);
        script.plot = if rng.chance(300_000) { Plot::Retry(1) } else { Plot::Ok };
        script.device = dies;
    }
    let at = CALM_BEFORE + rng.between(SECOND / 2, 4 * SECOND);
    let effects = rng.between(0, 60) as u32;
    let die = if class == Class::CrashOne { Fault::Kill(dies, effects) } else { Fault::PowerOff(dies, effects) };
    put(&mut scenario, at, die);
    put(&mut scenario, at + 35 * SECOND, Fault::Boot(dies));
    scenario
}

pub(super) fn a_holder_is_back_soon(seed: u64) -> Scenario {
    let devices = 3;
    let (mut scenario, mut rng) = stage(seed, Class::PowerOne, devices, 60);
    let dies = rng.index(devices);
    crowd(&mut scenario, 2 * SECOND, &mut rng);
    for script in scenario.scripts.values_mut() {
        brief(script, (dies + 1) % devices, &mut rng);
        script.length = rng.between(200 * MS, 2 * SECOND);
        script.spec.timeout = Span::from_secs(20);
        script.spec.idempotency_key = None;
    }
    put(&mut scenario, CALM_BEFORE, Fault::Disk(dies, rng.between(100 * MS, 600 * MS)));
    let at = CALM_BEFORE + rng.between(SECOND / 2, 4 * SECOND);
    put(&mut scenario, at, Fault::PowerOff(dies, 0));
    put(&mut scenario, at + rng.between(SECOND / 2, 3 * SECOND), Fault::Boot(dies));
    scenario
}

pub(super) fn frames_vanish(seed: u64) -> Scenario {
    let devices = 3 + seed as usize % 3;
    let (mut scenario, mut rng) = stage(seed, Class::FrameLoss, devices, 60);
    crowd(&mut scenario, 20 * SECOND, &mut rng);
    put(&mut scenario, CALM_BEFORE, Fault::FrameLoss(200_000));
    put(&mut scenario, CALM_BEFORE + 30 * SECOND, Fault::FrameLoss(0));
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

pub(super) fn an_old_image(seed: u64) -> Scenario {
    let devices = 2 + seed as usize % 2;
    let (mut scenario, mut rng) = stage(seed, Class::Rollback, devices, 60);
    let forgets = rng.index(devices);
    crowd(&mut scenario, 30 * SECOND, &mut rng);
    put(&mut scenario, CALM_BEFORE, Fault::Snapshot(forgets));
    let mut at = CALM_BEFORE + rng.between(SECOND, 3 * SECOND);
    for _ in 0..rng.between(1, 3) {
        put(&mut scenario, at, Fault::Kill(forgets, 0));
        put(&mut scenario, at + SECOND, Fault::Boot(forgets));
        at += rng.between(2 * SECOND, 4 * SECOND);
    }
    put(&mut scenario, at, Fault::Rollback(forgets, true));
    put(&mut scenario, at + rng.between(SECOND, 15 * SECOND), Fault::Boot(forgets));
    scenario
}
