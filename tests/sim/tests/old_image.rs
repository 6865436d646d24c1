//! A disk that is put back to an old image has forgotten lives that the others have given up.

use rc_sim::clock::SECOND;
use rc_sim::fault::{CALM_BEFORE, Fault};
use rc_sim::{Class, Plan, stage};

/// It comes back in an incarnation that is long over. The others turn it away, and tell it why; it begins a later life than any that they
/// know, and is let in.
#[test]
fn a_device_that_forgot_its_lives_is_let_in_again() {
    for seed in 0..20 {
        let at = |seconds: u64| CALM_BEFORE + seconds * SECOND;
        let mut faults = vec![(at(1), Fault::Snapshot(0))];
        for life in 0..3 {
            faults.push((at(2 + 9 * life), Fault::Kill(0, 0)));
            faults.push((at(9 + 9 * life), Fault::Boot(0)));
        }
        faults.push((at(29), Fault::Kill(0, 0)));
        faults.push((at(36), Fault::Rollback(0, true)));
        faults.push((at(36), Fault::Boot(0)));
        let plan = Plan { devices: Some(3), tasks: Some(8), ..Plan::of_seed(seed).with_class(Class::Rollback) };
        let world = match stage(&plan, faults, |_| {}) {
            Ok(world) => world,
            Err(failure) => panic!("{plan}: {}: {}", failure.invariant, failure.text),
        };
        let view = world.devices[1]
            .core
            .as_ref()
            .map(|core| core.view().peers().filter(|peer| peer.liveness == rc_scheduler::Liveness::Up).count());
        assert_eq!(view, Some(2), "seed {seed}: all hear each other again");
    }
}
