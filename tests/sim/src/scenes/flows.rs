//! Tasks that wait for others, with more devices than keep a task: whoever guards one may have to ask for the ends of those.

use super::brief;
use crate::class::Class;
use crate::clock::{MS, SECOND};
use crate::fault::CALM_BEFORE;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::scenario::Scenario;
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
