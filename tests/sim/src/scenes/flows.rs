//! Tasks that wait for others, with more devices than keep a task: whoever guards one may have to ask for the ends of those. And tasks
//! that are counted together, by whoever is asked.

use super::{brief, put};
use crate::class::Class;
use crate::clock::{MS, SECOND};
use crate::fault::{CALM_BEFORE, Fault};
use crate::plan::Plan;
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::workload::Plot;
use rc_scheduler::Requirements;

fn tasks(seed: u64, class: Class, devices: usize, tasks: usize) -> (Scenario, Rng) {
    let plan = Plan { devices: Some(devices), tasks: Some(tasks), ..Plan::of_seed(seed).with_class(class) };
    let mut scenario = Scenario::of(&plan);
    let mut rng = Rng::new(seed ^ 0xf10e);
    for script in scenario.scripts.values_mut() {
        let device = rng.index(devices);
        brief(script, device, &mut rng);
        script.spec.idempotency_key = None;
        script.spec.requirements = Requirements::default();
        (script.cancel_after, script.cancel_at_end, script.again_after) = (None, None, None);
    }
    (scenario, rng)
}

pub(super) fn a_flow(seed: u64) -> Scenario {
    let class = [Class::CrashOne, Class::PowerOne, Class::PairCut][seed as usize % 3];
    let (mut scenario, mut rng) = tasks(seed, class, 5 + seed as usize % 4, 48);
    // Half of them go in as one command, and the others by and by.
    let together = 24;
    for (index, script) in &mut scenario.scripts {
        script.at = CALM_BEFORE + index.saturating_sub(together) as u64 * SECOND / 2;
        script.length = rng.between(5 * MS, SECOND);
        script.batch = if *index == 0 { together - 1 } else { 0 };
        if *index > 0 {
            script.after = Some(rng.between(index.saturating_sub(8) as u64, *index as u64 - 1) as usize);
            script.also_after = (0..rng.index(3)).map(|_| rng.index(*index)).collect();
            script.uses = rng.chance(700_000);
        }
    }
    scenario
}

pub(super) fn a_chain(seed: u64) -> Scenario {
    let (mut scenario, mut rng) = tasks(seed, Class::None, 8, 20);
    for (index, script) in &mut scenario.scripts {
        script.at = CALM_BEFORE + *index as u64 * 100 * MS;
        script.length = if *index == 0 { 3 * SECOND } else { rng.between(5 * MS, 20 * MS) };
        script.after = index.checked_sub(1);
        script.uses = true;
    }
    // Each device hears of an end when it comes, and not only when it asks again.
    scenario.told_by = Some(CALM_BEFORE + 10 * SECOND);
    scenario
}

/// Two batches; the device that accepted both dies or is cut off, before they have ended or after, and everybody asks how they stand.
pub(super) fn a_batch_is_asked_about(seed: u64) -> Scenario {
    const EACH: usize = 12;
    const ASKS: usize = 24;
    let devices = 3 + seed as usize % 4;
    let class = [Class::CrashOne, Class::PowerOne, Class::Partition][seed as usize / 4 % 3];
    let (mut scenario, mut rng) = tasks(seed, class, devices, 2 * EACH);
    let mut booted = vec![false; devices];
    scenario.faults.retain(|(_, fault)| matches!(fault, Fault::Boot(d) if !std::mem::replace(&mut booted[*d], true)));
    let accepts = rng.index(devices);
    for (index, script) in &mut scenario.scripts {
        let first = index / EACH * EACH;
        (script.at, script.device) = (CALM_BEFORE + first as u64 * 200 * MS, accepts);
        script.length = rng.between(50 * MS, 4 * SECOND);
        script.batch = if *index == first { EACH - 1 } else { 0 };
        // Some fail, and begin again when they rest on some disks already.
        if rng.chance(300_000) {
            script.plot = Plot::Final;
            script.again_after = Some(rng.between(SECOND, 25 * SECOND));
        }
        if *index == first {
            script.asks = (0..ASKS).map(|_| (rng.between(0, 45 * SECOND), rng.index(devices))).collect();
        }
    }
    let at = CALM_BEFORE + rng.skewed(10 * MS, 20 * SECOND);
    let back = at + rng.between(SECOND, 30 * SECOND);
    match class {
        Class::CrashOne => put(&mut scenario, at, Fault::Kill(accepts, rng.skewed(0, 40) as u32)),
        Class::PowerOne => put(&mut scenario, at, Fault::PowerOff(accepts, rng.skewed(0, 40) as u32)),
        _ => {
            for other in (0..devices).filter(|other| *other != accepts) {
                for (from, to) in [(accepts, other), (other, accepts)] {
                    put(&mut scenario, at, Fault::Cut(from, to));
                    put(&mut scenario, back, Fault::Mend(from, to));
                }
            }
        }
    }
    if class != Class::Partition {
        put(&mut scenario, back, Fault::Boot(accepts));
    }
    scenario
}
