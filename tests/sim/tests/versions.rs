//! Two versions in one cluster: facts of a kind that only the newer one knows are kept, written and passed on by all, as they are.

use rc_scheduler::{Fact, TaskId};
use rc_sim::clock::SECOND;
use rc_sim::fault::{CALM_BEFORE, Fault};
use rc_sim::world::World;
use rc_sim::{Class, Detail, Plan};

fn unknown(n: u8) -> Fact {
    Fact::Unknown { kind: 200, body: vec![0x82, n, 0xf6].into() }
}

fn missing(world: &World, facts: &[(TaskId, Fact)]) -> usize {
    let lacks = |device: usize| {
        let disk = &world.devices[device].disk;
        facts.iter().filter(|(task, fact)| disk.facts(*task).next().is_some() && !disk.has(*task, &fact.key())).count()
    };
    (0..world.n()).map(lacks).sum()
}

#[test]
fn facts_of_a_later_version_are_kept_and_passed_on() {
    for seed in 0..24 {
        let plan =
            Plan { devices: Some(3), tasks: Some(8), seconds: 400, ..Plan::of_seed(seed).with_class(Class::Crash) };
        let mut world = World::new(plan, Detail::Hash, None);
        world.restage(Vec::new());
        world.wire = true;
        let newer = seed as usize % 3;
        world.newer[newer] = true;
        for script in &mut world.scripts {
            script.at = CALM_BEFORE;
            script.spec.requirements = rc_scheduler::Requirements::default();
        }
        world.enlist();
        let at = CALM_BEFORE + (2 + 3 * (seed % 8)) * SECOND;
        world.run_until(at);
        world.happen(Fault::Kill(newer, 0));
        world.run_until(at + 8 * SECOND);
        // What the newer version wrote in a life of its own. Most records have ended by now, some have not.
        let tasks: Vec<TaskId> = world.devices[newer].disk.records.keys().copied().collect();
        let facts: Vec<_> = tasks.iter().enumerate().map(|(n, task)| (*task, unknown(n as u8))).collect();
        assert!(facts.len() >= 6, "seed {seed}: {}", facts.len());
        for (task, fact) in facts.clone() {
            world.devices[newer].disk.add_fact(task, fact);
        }
        world.happen(Fault::Boot(newer));
        world.run_until(at + 70 * SECOND);
        assert_eq!(missing(&world, &facts), 0, "seed {seed}: passed on");
        // The newer one is gone, and the others start again: what they do not understand is still theirs to keep and pass on.
        let (first, second) = ((newer + 1) % 3, (newer + 2) % 3);
        world.happen(Fault::Destroy(newer));
        world.run_until(at + 90 * SECOND);
        world.happen(Fault::PowerOff(first, 0));
        world.run_until(at + 95 * SECOND);
        world.happen(Fault::Boot(first));
        world.run_until(at + 130 * SECOND);
        assert_eq!(missing(&world, &facts), 0, "seed {seed}: kept by d{first} and d{second}");
        assert_eq!(world.failure, None, "seed {seed}");
    }
}
