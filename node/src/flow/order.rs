//! An order in which every task comes after those that it waits for, or the circle in which some wait for each other.

use std::collections::BTreeSet;

/// The order, by places; of those that can come next the first one does, so that a file that is in order stays so.
///
/// # Errors
/// A circle: each waits for the next, and the last for the first.
pub(super) fn order(after: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut open: Vec<usize> = after.iter().map(Vec::len).collect();
    let mut before = vec![Vec::new(); after.len()];
    for (task, deps) in after.iter().enumerate() {
        for dep in deps {
            before[*dep].push(task);
        }
    }
    let mut ready: BTreeSet<usize> = (0..after.len()).filter(|task| open[*task] == 0).collect();
    let mut order = Vec::with_capacity(after.len());
    while let Some(task) = ready.pop_first() {
        order.push(task);
        for next in &before[task] {
            open[*next] -= 1;
            if open[*next] == 0 {
                ready.insert(*next);
            }
        }
    }
    if order.len() == after.len() { Ok(order) } else { Err(circle(after, &open)) }
}

/// Whoever is left waits for somebody who is left, so following that must come round.
fn circle(after: &[Vec<usize>], open: &[usize]) -> Vec<usize> {
    let mut way: Vec<usize> = Vec::new();
    let mut at = open.iter().position(|left| *left > 0).unwrap_or(0);
    while !way.contains(&at) {
        way.push(at);
        let next = after[at].iter().copied().find(|dep| open[*dep] > 0);
        at = next.unwrap_or(at);
    }
    let begin = way.iter().position(|task| *task == at).unwrap_or(0);
    way.split_off(begin)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whom each waits for, and the order or the circle.
    type Row = (&'static [&'static [usize]], Result<&'static [usize], &'static [usize]>);

    #[test]
    fn orders_and_circles() {
        let table: [Row; 7] = [
            (&[], Ok(&[])),
            (&[&[], &[0], &[1]], Ok(&[0, 1, 2])),
            (&[&[2], &[], &[1]], Ok(&[1, 2, 0])),
            (&[&[], &[0], &[0], &[1, 2]], Ok(&[0, 1, 2, 3])),
            (&[&[0]], Err(&[0])),
            (&[&[], &[3], &[1], &[2]], Err(&[1, 3, 2])),
            (&[&[1], &[2], &[1]], Err(&[1, 2])),
        ];
        for (after, expected) in table {
            let after: Vec<Vec<usize>> = after.iter().map(|deps| deps.to_vec()).collect();
            let expected = expected.map(<[usize]>::to_vec).map_err(<[usize]>::to_vec);
            assert_eq!(order(&after), expected, "{after:?}");
        }
    }

    #[test]
    fn a_thousand_tasks_in_any_order() {
        let mut seed = 7u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below.max(1)
        };
        let mut rank: Vec<usize> = (0..1_000).collect();
        for at in (1..rank.len()).rev() {
            rank.swap(at, random(at + 1));
        }
        let after: Vec<Vec<usize>> = (0..1_000)
            .map(|task| {
                let earlier = (0..3).map(|_| random(1_000)).filter(|dep| rank[*dep] < rank[task]);
                earlier.collect::<BTreeSet<_>>().into_iter().collect()
            })
            .collect();
        let order = order(&after).unwrap();
        let mut place = vec![0; 1_000];
        order.iter().enumerate().for_each(|(at, task)| place[*task] = at);
        assert!((0..1_000).all(|task| after[task].iter().all(|dep| place[*dep] < place[task])));
    }
}
