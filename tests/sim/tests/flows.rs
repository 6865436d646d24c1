//! A large flow under faults: every task in its order, whatever dies.

use rc_scheduler::{Requirements, Span, Status};
use rc_sim::clock::{MS, SECOND};
use rc_sim::fault::{CALM_BEFORE, Fault};
use rc_sim::rng::Rng;
use rc_sim::workload::Plot;
use rc_sim::{Class, Plan, stage};

const TASKS: usize = 1_000;

/// A random graph of a thousand tasks goes in as one command. Its acceptor dies in the middle and does not come back; another device
/// dies and does. What starts before its time or with wrong results breaks an invariant.
#[test]
fn a_thousand_tasks_run_in_their_order_though_devices_die() {
    for seed in 0..3 {
        let plan = Plan {
            devices: Some(5),
            tasks: Some(TASKS),
            check_every: 0,
            ..Plan::of_seed(seed).with_class(Class::Crash)
        };
        let faults = vec![
            (CALM_BEFORE + 3 * SECOND, Fault::Kill(0, 0)),
            (CALM_BEFORE + 7 * SECOND, Fault::Kill(1, 0)),
            (CALM_BEFORE + 12 * SECOND, Fault::Boot(1)),
        ];
        let mut rng = Rng::new(seed ^ 0xda6);
        let world = stage(&plan, faults, |world| {
            for (index, script) in world.scripts.iter_mut().enumerate() {
                (script.at, script.device, script.batch) = (CALM_BEFORE, 0, if index == 0 { TASKS - 1 } else { 0 });
                (script.plot, script.length) = (Plot::Ok, rng.between(5 * MS, 60 * MS));
                (script.twice, script.cancel_after, script.cancel_at_end, script.again_after) =
                    (None, None, None, None);
                script.spec.idempotency_key = None;
                script.spec.timeout = Span::from_secs(60);
                script.spec.requirements = Requirements::default();
                script.after =
                    index.checked_sub(1).map(|last| rng.between(last.saturating_sub(40) as u64, last as u64) as usize);
                script.also_after = (0..rng.index(4)).filter(|_| index > 0).map(|_| rng.index(index.max(1))).collect();
                script.uses = rng.chance(500_000);
            }
        });
        let world = world.unwrap_or_else(|failure| panic!("seed {seed}: {failure:?}"));
        assert_eq!(world.oracle.accepted.len(), TASKS, "seed {seed}");
        for task in world.oracle.accepted.keys() {
            let told = world.oracle.told.get(&(*task, 0)).and_then(|told| told.last()).map(|told| told.status);
            assert_eq!(told, Some(Status::Completed), "seed {seed}: {}", world.names.t(*task));
        }
    }
}
