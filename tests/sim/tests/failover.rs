//! How long a task stands still when its device dies, in virtual time.

use rc_sim::clock::{MS, Micros, SECOND};
use rc_sim::fault::{CALM_BEFORE, Fault};
use rc_sim::workload::Plot;
use rc_sim::{Class, Plan, stage};

/// From the death of a process on a host that lives until its tasks run elsewhere: a second dial, a round of questions, a disk.
const KILLED_MAX: Micros = 500 * MS;

const TASKS: usize = 13;

/// A device is killed, and the news of it takes its time to one of the others: that one says for a while that it hears the dead
/// device. The proof that it is dead must outlive the veto.
#[test]
fn a_veto_by_one_who_learns_of_a_death_later_costs_no_patience() {
    let mut moved = 0;
    for seed in 0..60 {
        let (dead, late) = (seed as usize % 4, (seed as usize + 1 + seed as usize / 4 % 3) % 4);
        let killed = CALM_BEFORE + 3 * SECOND + seed * 17 * MS;
        let faults = vec![
            (killed - SECOND, Fault::Latency(dead, late, 150 * MS)),
            (killed - 1, Fault::Kill(dead, 0)),
            (killed + 40 * SECOND, Fault::Boot(dead)),
        ];
        let plan = Plan { devices: Some(4), tasks: Some(TASKS), ..Plan::of_seed(seed).with_class(Class::CrashOne) };
        let world = stage(&plan, faults, |world| {
            for device in &mut world.devices {
                device.capacity.max_concurrent_tasks = 16;
            }
            for (index, script) in world.scripts.iter_mut().enumerate() {
                script.at = CALM_BEFORE + index as u64 * 20 * MS;
                script.device = index % 4;
                if index == TASKS - 1 {
                    // It dies at its next effect: at this one, which its client never hears of.
                    (script.at, script.device) = (killed, dead);
                }
                script.length = 20 * SECOND;
                script.plot = Plot::Ok;
                (script.cancel_after, script.cancel_at_end, script.twice, script.after) = (None, None, None, None);
                script.batch = 0;
                script.spec = rc_scheduler::TaskSpec {
                    task_type: script.spec.task_type.clone(),
                    timeout: rc_scheduler::Span::from_secs(120),
                    ..rc_scheduler::TaskSpec::default()
                };
            }
        });
        let world = world.unwrap_or_else(|failure| panic!("{plan}: {}: {}", failure.invariant, failure.text));
        for (task, starts) in &world.oracle.starts {
            let Some(lost) = starts.iter().position(|start| start.device == dead && start.at < killed) else {
                continue;
            };
            let Some(next) = starts.get(lost + 1) else { panic!("{plan}: {task} did not move: {starts:?}") };
            let took = next.at - killed;
            assert!(took <= KILLED_MAX, "{plan}: {task} stood still for {} ms", took / MS);
            moved += 1;
        }
    }
    assert!(moved > 50, "the scene is about tasks that move: {moved}");
}
