//! Attempts that take far longer on one device than on the others, and copies beside them.

use super::{brief, put, stage_with};
use crate::class::Class;
use crate::clock::{MS, SECOND};
use crate::fault::{CALM_BEFORE, Fault};
use crate::plan::Plan;
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::workload::Plot;
use rc_scheduler::Span;

/// Short tasks by which it is known how long they take, and after those more of them, which one device is slow with.
const KNOWN: usize = 36;
const SLOW: usize = 12;
/// By then the first of the slow ones have begun.
const BEGUN: u64 = CALM_BEFORE + 5 * SECOND;

struct Stage {
    scenario: Scenario,
    rng: Rng,
    /// The device that is slow, and the one that accepts and guards all tasks.
    slow: usize,
    accepts: usize,
}

fn stage(seed: u64, class: Class) -> Stage {
    let devices = 3 + seed as usize % 3;
    let plan = Plan { devices: Some(devices), tasks: Some(KNOWN + SLOW), ..Plan::of_seed(seed).with_class(class) };
    let (mut scenario, mut rng) = stage_with(seed, plan);
    let (slow, accepts) = (rng.index(devices), rng.index(devices));
    scenario.scripts.retain(|index, _| *index < KNOWN + SLOW);
    for (index, script) in &mut scenario.scripts {
        brief(script, accepts, &mut rng);
        script.spec.requirements = rc_scheduler::Requirements::default();
        (script.cancel_after, script.cancel_at_end, script.spec.idempotency_key) = (None, None, None);
        (script.again_after, script.spec.side_effects) = (None, false);
        script.spec.task_type = "echo".to_owned();
        script.spec.timeout = Span::from_secs(200);
        script.length = rng.between(300 * MS, 400 * MS);
        script.at = CALM_BEFORE + rng.between(0, SECOND);
        if *index >= KNOWN {
            script.at += 3 * SECOND;
            script.slow_on = Some(slow);
            script.spec.speculative = true;
        }
    }
    scenario.devices.iter_mut().for_each(|device| device.slots = 4 + rng.between(0, 2) as u32);
    if devices > 3 && rng.chance(500_000) {
        let battery = (slow + 1 + rng.index(devices - 1)) % devices;
        scenario.devices[battery].battery = true;
    }
    Stage { scenario, rng, slow, accepts }
}

pub(super) fn stragglers(seed: u64) -> Scenario {
    let Stage { mut scenario, .. } = stage(seed, Class::None);
    // On the slow device they take thirty seconds and more.
    scenario.told_by = Some(CALM_BEFORE + 20 * SECOND);
    scenario
}

pub(super) fn of_all_kinds(seed: u64) -> Scenario {
    let Stage { mut scenario, mut rng, slow, .. } = stage(seed, Class::None);
    let devices = scenario.devices.len();
    for script in scenario.scripts.values_mut().filter(|script| script.spec.speculative) {
        match rng.index(6) {
            0 => (script.spec.speculative, script.spec.side_effects) = (false, rng.chance(500_000)),
            1 => script.plot = Plot::Retry(rng.between(1, 3) as u32),
            2 => script.plot = Plot::Final,
            3 => (script.fails_on, script.spec.retry.max_retries) = (Some(rng.index(devices)), 3),
            4 => script.cancel_after = Some(rng.between(SECOND / 2, 6 * SECOND)),
            _ => {}
        }
    }
    for _ in 0..rng.between(0, 4) {
        let (device, at) = (rng.index(devices), BEGUN + rng.between(0, 6 * SECOND));
        put(&mut scenario, at, Fault::Battery(device, true));
        put(&mut scenario, at + rng.between(SECOND, 20 * SECOND), Fault::Battery(device, false));
    }
    // Some are slow wherever they are: their copies are, too.
    for script in scenario.scripts.values_mut().filter(|script| script.slow_on == Some(slow)) {
        if rng.chance(150_000) {
            script.length = rng.between(4 * SECOND, 10 * SECOND);
            script.slow_on = None;
        }
    }
    scenario
}

/// The device that something happens to: the slow one, the guardian, or any other, which may have copies.
fn victim(stage: &mut Stage) -> usize {
    let any = stage.rng.index(stage.scenario.devices.len());
    let (slow, accepts) = (stage.slow, stage.accepts);
    stage.rng.pick(&[slow, accepts, any])
}

fn dies(seed: u64, class: Class, die: fn(usize, u32) -> Fault) -> Scenario {
    let mut stage = stage(seed, class);
    let device = victim(&mut stage);
    let Stage { mut scenario, mut rng, slow, .. } = stage;
    for script in scenario.scripts.values_mut().filter(|script| script.spec.speculative) {
        if rng.chance(300_000) {
            // The copy runs for a while, too.
            (script.length, script.slow_on) = (rng.between(4 * SECOND, 10 * SECOND), None);
        } else if rng.chance(200_000) {
            (script.fails_on, script.spec.retry.max_retries) = (Some(slow), 3);
        }
    }
    let at = BEGUN + rng.between(0, 6 * SECOND);
    put(&mut scenario, at, die(device, rng.skewed(0, 40) as u32));
    put(&mut scenario, at + rng.between(SECOND, 30 * SECOND), Fault::Boot(device));
    scenario
}

pub(super) fn kill(seed: u64) -> Scenario {
    dies(seed, Class::CrashOne, Fault::Kill)
}

pub(super) fn power(seed: u64) -> Scenario {
    dies(seed, Class::PowerOne, Fault::PowerOff)
}

pub(super) fn cut(seed: u64) -> Scenario {
    let mut stage = stage(seed, Class::Partition);
    let device = victim(&mut stage);
    let Stage { mut scenario, mut rng, .. } = stage;
    let at = BEGUN + rng.between(0, 4 * SECOND);
    let mend = at + rng.between(SECOND, 20 * SECOND);
    for other in (0..scenario.devices.len()).filter(|other| *other != device) {
        if rng.chance(850_000) {
            for (from, to) in [(device, other), (other, device)] {
                put(&mut scenario, at, Fault::Cut(from, to));
                put(&mut scenario, mend, Fault::Mend(from, to));
            }
        }
    }
    scenario
}

pub(super) fn clocks(seed: u64) -> Scenario {
    let class = [Class::WallClock, Class::Drift, Class::Suspend, Class::StoppedClock][seed as usize / 3 % 4];
    let mut stage = stage(seed, class);
    let device = victim(&mut stage);
    let Stage { mut scenario, mut rng, .. } = stage;
    let at = BEGUN + rng.between(0, 6 * SECOND);
    match class {
        Class::WallClock => {
            for jump in 0..rng.between(1, 6) {
                let to = rng.pick(&[0, 4_102_444_800_000, 1_600_000_000_000]);
                put(&mut scenario, at + jump * SECOND, Fault::Wall(device, to));
            }
        }
        Class::Suspend | Class::StoppedClock => {
            put(&mut scenario, at, Fault::Suspend(device));
            put(&mut scenario, at + rng.between(SECOND, 30 * SECOND), Fault::Wake(device));
        }
        _ => {}
    }
    scenario
}
