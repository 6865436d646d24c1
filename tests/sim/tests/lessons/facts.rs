//! Lessons about what a fact is, and what is none.

use super::{apart, plan, play};
use rc_scheduler::{Status, TaskId};
use rc_sim::clock::{MS, SECOND};
use rc_sim::fault::CALM_BEFORE;
use rc_sim::workload::Plot;
use rc_sim::world::World;
use rc_sim::{Class, Detail};
use std::collections::{BTreeMap, BTreeSet};

/// 2: ends of every kind are read at each device while it hears nobody, while it has just come back, and when all is well. Who looks,
/// and who is alive, makes no difference.
#[test]
fn lesson_2_how_a_task_ended_does_not_depend_on_who_looks() {
    let mut kinds = BTreeSet::new();
    for seed in 0..12 {
        let mut world = World::new(plan(seed, Class::Partition, 3, 12), Detail::Hash, None);
        let cuts = (0..3).flat_map(|device| {
            let at = CALM_BEFORE + (30 + 20 * device as u64) * SECOND;
            apart(3, &[device], at, at + 14 * SECOND)
        });
        world.restage(cuts.collect());
        for (index, script) in world.scripts.iter_mut().enumerate() {
            script.at = CALM_BEFORE + index as u64 * 10 * MS;
            script.length = 500 * MS;
            script.plot = [Plot::Ok, Plot::Final, Plot::Overrun, Plot::Retry(9)][index % 4];
            script.spec.timeout = rc_scheduler::Span::from_ms(400);
            script.spec.retry.max_retries = 1;
            script.cancel_after = (index % 5 == 4).then_some(100 * MS);
            script.after = None;
            script.spec.requirements = rc_scheduler::Requirements::default();
        }
        world.enlist();
        let mut first: BTreeMap<TaskId, Status> = BTreeMap::new();
        for step in 0..34 {
            world.run_until(CALM_BEFORE + (26 + 2 * step) * SECOND);
            world.reads.clear();
            world.read_everything();
            world.run_until(CALM_BEFORE + (27 + 2 * step) * SECOND);
            assert!(world.reads.len() >= 30, "seed {seed}: {} answers", world.reads.len());
            for ((task, device), status) in &world.reads {
                let known = first.entry(*task).or_insert(*status);
                assert_eq!(known, status, "seed {seed}: {task} at d{device}, step {step}");
                kinds.insert(*status);
            }
        }
        assert_eq!(world.failure, None, "seed {seed}");
    }
    let ends = [Status::Completed, Status::Failed, Status::Timeout, Status::Cancelled];
    assert_eq!(kinds, ends.into(), "the scene is about all ends");
}

/// 7: one key and one specification are one task wherever it is submitted, also on both sides of a cut; one key and two specifications
/// never share an id.
#[test]
fn lesson_7_an_id_is_a_hash_of_what_was_asked() {
    for seed in 0..20 {
        let (class, cuts) = match seed % 2 {
            0 => (Class::Clients, Vec::new()),
            _ => (Class::Partition, apart(4, &[0, 1], CALM_BEFORE - SECOND, CALM_BEFORE + 20 * SECOND)),
        };
        let calm = cuts.is_empty();
        let world = play(&plan(seed, class, 4, 10), cuts, |world| {
            for (index, script) in world.scripts.iter_mut().enumerate() {
                script.at = CALM_BEFORE + SECOND;
                script.device = 0;
                script.batch = 0;
                script.after = None;
                script.plot = Plot::Ok;
                (script.cancel_after, script.cancel_at_end, script.again_after) = (None, None, None);
                // The first half is the same task twice; of the other half each pair has one key and two payloads.
                script.twice = (index < 5).then_some((3, 0));
                script.spec.requirements = rc_scheduler::Requirements::default();
                let key = if index < 5 { index } else { 5 + (index - 5) / 2 };
                script.spec.idempotency_key = Some(format!("one-{key}"));
                if index >= 5 && index % 2 == 0 {
                    script.device = 3;
                }
            }
        });
        let ids: BTreeSet<_> = world.oracle.accepted.keys().collect();
        let scripts: BTreeSet<_> = world.oracle.accepted.values().map(|accepted| accepted.script).collect();
        assert_eq!(ids.len(), scripts.len(), "seed {seed}: each script has one id, and no two share one");
        assert!(ids.len() >= 7, "seed {seed}: {}", ids.len());
        if calm {
            let twice = world.oracle.starts.values().filter(|starts| starts.len() > 1).count();
            assert_eq!(twice, 0, "seed {seed}");
        }
    }
}

/// 15: a task that says a hundred times how far it is costs the disks nothing.
#[test]
fn lesson_15_progress_is_no_fact() {
    let run = |every| {
        let world = play(&plan(3, Class::None, 3, 6), Vec::new(), |world| {
            for script in &mut world.scripts {
                script.length = 30 * SECOND;
                script.spec.timeout = rc_scheduler::Span::from_secs(60);
                script.plot = Plot::Ok;
                script.after = None;
                (script.cancel_after, script.cancel_at_end, script.again_after) = (None, None, None);
                script.progress_every = every;
            }
        });
        let longest = world.devices.iter().flat_map(|d| d.disk.records.values().map(BTreeMap::len)).max();
        (world.stats.entries, world.stats.starts, longest)
    };
    let silent = run(None);
    assert!(silent.1 >= 6, "they ran: {silent:?}");
    // Nine hundred reports; where a task is placed may differ, and with that a fact or two.
    let talking = run(Some(200 * MS));
    assert!(talking.0.abs_diff(silent.0) < 20, "{silent:?}, {talking:?}");
    assert_eq!((talking.1, talking.2), (silent.1, silent.2));
}
