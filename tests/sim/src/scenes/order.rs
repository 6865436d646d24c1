//! What comes in which order, and where it waits.

use super::{brief, kill_one, put, stage, stage_with};
use crate::class::Class;
use crate::clock::{MS, SECOND};
use crate::fault::{CALM_BEFORE, Fault};
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

/// What may fail beside what the scene is about: nothing, one device, or what is between one and another.
fn mishap(scenario: &mut Scenario, rng: &mut Rng) {
    let devices = scenario.devices.len();
    match scenario.class {
        Class::CrashOne => {
            let device = rng.index(devices);
            kill_one(scenario, device, rng);
        }
        Class::Partition => {
            let (one, other) = (rng.index(devices), 1 + rng.index(devices - 1));
            let other = (one + other) % devices;
            let at = CALM_BEFORE + rng.between(SECOND / 2, 8 * SECOND);
            for (from, to) in [(one, other), (other, one)] {
                put(scenario, at, Fault::Cut(from, to));
                put(scenario, at + rng.between(SECOND, 20 * SECOND), Fault::Mend(from, to));
            }
        }
        _ => {}
    }
}

pub(super) fn two_who_submit(seed: u64) -> Scenario {
    let class = [Class::None, Class::CrashOne, Class::Partition][seed as usize % 3];
    let devices = 2 + seed as usize % 4;
    let plan = Plan { devices: Some(devices), tasks: Some(120), ..Plan::of_seed(seed).with_class(class) };
    let (mut scenario, mut rng) = stage_with(seed, plan);
    let accepts = rng.index(devices);
    let few_from = rng.between(80, 110) as usize;
    for (index, script) in &mut scenario.scripts {
        brief(script, accepts, &mut rng);
        script.spec.requirements = rc_scheduler::Requirements::default();
        (script.cancel_after, script.cancel_at_end, script.again_after) = (None, None, None);
        (script.spec.idempotency_key, script.also_after) = (None, Vec::new());
        let few = *index >= few_from;
        script.spec.submitter = Some(if few { "few" } else { "many" }.to_owned());
        (script.spec.task_type, script.spec.priority) = ("echo".to_owned(), rc_scheduler::Priority::Normal);
        script.length = rng.between(200 * MS, 300 * MS);
        script.at = CALM_BEFORE + if few { rng.between(400 * MS, 600 * MS) } else { rng.between(0, 300 * MS) };
        script.spec.timeout = Span::from_secs(100);
    }
    mishap(&mut scenario, &mut rng);
    scenario
}

/// Enough long ones for several rounds on all slots; a few tasks that are in no batch come before it and while it is worked off.
pub(super) fn a_batch_of_long_and_short(seed: u64) -> Scenario {
    const ALONE: usize = 6;
    let class = [Class::None, Class::None, Class::CrashOne, Class::Partition][seed as usize % 4];
    let devices = 3 + seed as usize % 3;
    let plan = Plan { devices: Some(devices), tasks: Some(90), ..Plan::of_seed(seed).with_class(class) };
    let (mut scenario, mut rng) = stage_with(seed, plan);
    scenario.devices.iter_mut().for_each(|device| device.slots = 2);
    let accepts = rng.index(devices);
    let of_batch = scenario.scripts.len() - ALONE;
    for (index, script) in &mut scenario.scripts {
        brief(script, accepts, &mut rng);
        script.spec.requirements = rc_scheduler::Requirements::default();
        (script.cancel_after, script.cancel_at_end, script.again_after) = (None, None, None);
        (script.spec.idempotency_key, script.also_after) = (None, Vec::new());
        script.spec.priority = rc_scheduler::Priority::Normal;
        let long = rng.chance(500_000);
        script.spec.task_type = if long { "sleep" } else { "echo" }.to_owned();
        script.length = if long { rng.between(600 * MS, 900 * MS) } else { rng.between(20 * MS, 60 * MS) };
        script.spec.timeout = Span::from_secs(60);
        script.at = CALM_BEFORE;
        if *index == 0 {
            script.batch = of_batch - 1;
            script.asks = vec![(20 * SECOND, rng.index(devices))];
        } else if *index >= of_batch {
            script.at += rng.between(0, 8 * SECOND);
        }
    }
    mishap(&mut scenario, &mut rng);
    scenario
}

/// Looks a second apart, so that three in a row take three seconds.
pub(super) fn too_much_to_do(seed: u64) -> Scenario {
    let class = [Class::Owners, Class::CrashOne, Class::Partition][seed as usize % 3];
    let devices = 3 + seed as usize % 3;
    let (mut scenario, mut rng) = stage(seed, class, devices, 100);
    let hot = rng.index(devices);
    let busy = (hot + 1 + rng.index(devices - 1)) % devices;
    let names = [hot, busy].map(|device| scenario.devices[device].id.0);
    for (index, script) in &mut scenario.scripts {
        let accepts = rng.index(devices);
        brief(script, accepts, &mut rng);
        script.spec.requirements = rc_scheduler::Requirements::default();
        (script.cancel_after, script.cancel_at_end, script.again_after) = (None, None, None);
        let (only, length, within) = match index % 4 {
            0 => (Some(0), rng.between(3 * SECOND, 9 * SECOND), 3 * SECOND),
            1 => (Some(1), rng.between(50 * MS, 400 * MS), 20 * SECOND),
            _ => (None, rng.between(200 * MS, 2 * SECOND), 12 * SECOND),
        };
        script.spec.requirements.only_devices.extend(only.map(|place: usize| names[place]));
        script.length = length;
        script.at = CALM_BEFORE + rng.between(0, within);
        script.spec.timeout = Span::from_secs(60);
    }
    let from = CALM_BEFORE + rng.between(0, 2 * SECOND);
    let looks = rng.between(4, 14);
    for look in 0..looks {
        put(&mut scenario, from + look * SECOND, Fault::Load(hot, 900_000));
    }
    put(&mut scenario, from + looks * SECOND, Fault::Load(hot, 0));
    for look in 0..30 {
        put(&mut scenario, SECOND + look * SECOND, Fault::Load(busy, 950_000));
    }
    mishap(&mut scenario, &mut rng);
    scenario.told_by = (class == Class::Owners).then_some(CALM_BEFORE + 70 * SECOND);
    scenario
}

pub(super) fn urgent_among_others(seed: u64) -> Scenario {
    let devices = 3 + seed as usize % 3;
    let plan = Plan { devices: Some(devices), tasks: Some(90), ..Plan::of_seed(seed).with_class(Class::None) };
    let (mut scenario, mut rng) = stage_with(seed, plan);
    scenario.devices.iter_mut().for_each(|device| device.slots = 1);
    let names: Vec<_> = scenario.devices.iter().map(|device| device.id.0).collect();
    for script in scenario.scripts.values_mut() {
        let accepts = rng.index(2);
        brief(script, accepts, &mut rng);
        script.spec.requirements = rc_scheduler::Requirements::default();
        (script.cancel_after, script.cancel_at_end, script.again_after) = (None, None, None);
        (script.spec.idempotency_key, script.also_after) = (None, Vec::new());
        script.spec.priority = rc_scheduler::Priority::Urgent;
        script.length = rng.between(5 * MS, 300 * MS);
        if rng.chance(400_000) {
            script.spec.priority = rc_scheduler::Priority::Background;
            script.spec.requirements.only_devices = [rng.pick(&names)].into();
            script.length = rng.between(SECOND, 2 * SECOND);
        }
        script.at = CALM_BEFORE + rng.between(0, 40) * 500 * MS;
        script.spec.timeout = Span::from_secs(100);
    }
    scenario
}
