//! Who belongs to the cluster changes, and who remembers what it did.

use super::{CALM_BEFORE, Fault, Timed, die, down_for};
use crate::class::Class;
use crate::clock::{MS, Micros, SECOND};
use crate::rng::Rng;

pub(super) fn draw(class: Class, n: usize, end: Micros, rng: &mut Rng, out: &mut Vec<Timed>) {
    match class {
        Class::JoinDeath => {
            // The late ones boot in the moment drawn by the world; these die about when the first of them does.
            for _ in 0..rng.between(1, 2) {
                let device = rng.index(n);
                let at = rng.between(CALM_BEFORE, end);
                out.push((at, die(device, rng)));
                out.push((at + SECOND + down_for(rng), Fault::Boot(device)));
                for joining in 0..n {
                    out.push((at + rng.skewed(0, 2 * SECOND), Fault::Boot(joining)));
                }
            }
        }
        Class::Leave => {
            for _ in 0..rng.between(1, 2) {
                let of = rng.index(n);
                let at = rng.between(CALM_BEFORE, end);
                let (retired, revoked) = rng.pick(&[(false, false), (true, false), (false, true)]);
                let told = rng.index(n);
                out.push((at, Fault::Member { at: told, of, keeps: retired || revoked, retired, revoked }));
                if retired || revoked {
                    // It goes on for a while: it may not know, or say good-bye first.
                    out.push((at + rng.skewed(MS, 20 * SECOND), Fault::PowerOff(of, 0)));
                }
            }
        }
        Class::Twins => {
            let (original, copy) = (rng.index(n - 1), n - 1);
            let at = rng.between(CALM_BEFORE, end / 2);
            if rng.chance(500_000) {
                // Most copies are made of what is switched off.
                out.push((at, Fault::Kill(original, 0)));
                out.push((at + rng.skewed(SECOND, 30 * SECOND), Fault::Boot(original)));
            }
            out.push((at + 500 * MS, Fault::Copy(original, copy)));
            for _ in 0..rng.between(0, 3) {
                let device = rng.pick(&[original, copy]);
                let then = rng.between(at + SECOND, end);
                out.push((then, die(device, rng)));
                out.push((then + down_for(rng), Fault::Boot(device)));
            }
        }
        _ => {
            for _ in 0..rng.between(1, 2) {
                let device = rng.index(n);
                let at = rng.between(CALM_BEFORE, end);
                out.push((at, Fault::Snapshot(device)));
                let mut then = at + rng.skewed(10 * MS, 20 * SECOND);
                for _ in 0..rng.between(0, 3) {
                    // Lives that it will have forgotten.
                    out.push((then, Fault::Kill(device, 0)));
                    out.push((then + rng.skewed(10 * MS, 12 * SECOND), Fault::Boot(device)));
                    then += 13 * SECOND;
                }
                out.push((then, Fault::Rollback(device, rng.chance(500_000))));
                out.push((then + down_for(rng), Fault::Boot(device)));
            }
        }
    }
}
