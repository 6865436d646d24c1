//! Cuts by the shape of what is left: a bridge or a star, a ring, and cuts that come while others take over.

use super::{Fault, Timed, cut, die, down_for, split, two};
use crate::class::Class;
use crate::clock::{MS, Micros, SECOND};
use crate::fault::CALM_BEFORE;
use crate::rng::Rng;
use std::collections::BTreeSet;

pub(super) fn draw(class: Class, n: usize, end: Micros, rng: &mut Rng, out: &mut Vec<Timed>) {
    let at = rng.between(CALM_BEFORE, end);
    match class {
        Class::Bridge => {
            let mend = at + rng.skewed(SECOND, 50 * SECOND);
            let pairs = if rng.chance(300_000) { star(n, rng) } else { bridge(n, rng) };
            cut(&pairs, rng.chance(100_000), at, mend, out);
        }
        Class::Ring => {
            let mend = at + rng.skewed(SECOND, 50 * SECOND);
            cut(&ring(n, rng), rng.chance(100_000), at, mend, out);
        }
        Class::SplitRestart => {
            let mend = at + rng.skewed(10 * SECOND, 60 * SECOND);
            cut(&split(n, rng), false, at, mend, out);
            // Whoever starts anew has forgotten what the others had stored: all of them at about the same time, or some.
            for from in [at + 6 * SECOND, mend - 2 * SECOND, mend + 10 * SECOND] {
                let (all, dies) = (rng.chance(500_000), rng.between(from, from + 20 * SECOND));
                for device in (0..n).filter(|_| all || rng.chance(200_000)).collect::<Vec<_>>() {
                    out.push((dies + rng.skewed(0, 2 * SECOND), die(device, rng)));
                    out.push((dies + 3 * SECOND + rng.skewed(0, 5 * SECOND), Fault::Boot(device)));
                }
            }
        }
        _ => {
            let device = rng.index(n);
            out.push((at, die(device, rng)));
            if rng.chance(700_000) {
                out.push((at + SECOND + down_for(rng), Fault::Boot(device)));
            }
            for _ in 0..rng.between(1, 3) {
                // Giving up takes up to five seconds, asking up to ten.
                let cut_at = at + rng.between(0, 16 * SECOND);
                let mend = cut_at + rng.skewed(50 * MS, 20 * SECOND);
                let pairs = if rng.chance(500_000) { vec![two(n, rng)] } else { split(n, rng) };
                cut(&pairs, rng.chance(200_000), cut_at, mend, out);
            }
        }
    }
}

/// Whether a device has lost all others at some moment, by cuts of two devices from one time to another and what it takes until they have
/// met again.
pub(super) fn is_alone(device: usize, n: usize, apart: &[(usize, usize, Micros, Micros)]) -> bool {
    let cuts = || apart.iter().filter(|(a, b, ..)| *a == device || *b == device);
    cuts().any(|(.., at, _)| {
        let then = cuts().filter(|(.., from, mend)| from <= at && *at < mend + 10 * SECOND);
        then.map(|(a, b, ..)| a + b - device).collect::<BTreeSet<_>>().len() == n - 1
    })
}

/// Two groups that one device alone holds together.
fn bridge(n: usize, rng: &mut Rng) -> Vec<(usize, usize)> {
    let hub = rng.index(n);
    split(n, rng).into_iter().filter(|(a, b)| *a != hub && *b != hub).collect()
}

/// All reach one, and nobody else.
fn star(n: usize, rng: &mut Rng) -> Vec<(usize, usize)> {
    let hub = rng.index(n);
    pairs(n).filter(|(a, b)| *a != hub && *b != hub).collect()
}

fn ring(n: usize, rng: &mut Rng) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..n).collect();
    rng.shuffle(&mut order);
    let place = |device: usize| order.iter().position(|other| *other == device).unwrap_or_default();
    let apart = |(a, b): &(usize, usize)| {
        let steps = place(*a).abs_diff(place(*b));
        steps != 1 && steps != n - 1
    };
    pairs(n).filter(apart).collect()
}

fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |a| (a + 1..n).map(move |b| (a, b)))
}
