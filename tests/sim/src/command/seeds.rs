//! Running seeds: one of them to look at, or many on all processors.

use crate::args::{Args, Source};
use rc_sim::world::Failure;
use rc_sim::{Detail, Report, invariants, play, run};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Runs one seed and prints what happens.
pub fn one(args: &Args, seed: u64) -> bool {
    let detail = if args.verbose { Detail::Print } else { Detail::Tail };
    let report = match args.source {
        Source::Class(_) => run(&args.plan(seed), detail, args.only.clone()),
        Source::Scene(_) => play(&args.scenario(seed), detail, args.only.clone()),
    };
    tell(&format!("seed {seed}"), &report, args.verbose)
}

/// Says how a run went, with what led to it unless all of it was printed.
pub fn tell(name: &str, report: &Report, printed: bool) -> bool {
    let Some(failure) = &report.failure else {
        println!("{name}: ok, {} tasks, {} events, hash {:016x}", report.accepted, report.stats.steps, report.hash);
        return true;
    };
    if !printed {
        report.tail.iter().rev().take(60).rev().for_each(|line| println!("{line}"));
    }
    println!("{name}: {}: {}", failure.invariant, failure.text);
    false
}

/// Runs many seeds on all processors.
pub fn many(args: &Args) -> bool {
    std::panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    let next = AtomicU64::new(args.start);
    let failures: Mutex<BTreeMap<u64, Report>> = Mutex::new(BTreeMap::new());
    let steps = AtomicU64::new(0);
    let excused = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let enough = args.fail_fast && failures.lock().is_ok_and(|failures| !failures.is_empty());
                    if seed >= args.start + args.seeds || enough {
                        return;
                    }
                    let again = || match args.source {
                        Source::Class(_) => run(&args.plan(seed), Detail::Hash, None),
                        Source::Scene(_) => play(&args.scenario(seed), Detail::Hash, None),
                    };
                    let mut report = again();
                    if args.twice && report.failure.is_none() {
                        let again = again();
                        if let Err(text) = invariants::same_seed_same_trace::check(&report, &again) {
                            report.failure = Some(Failure { invariant: "same_seed_same_trace", text });
                        }
                    }
                    steps.fetch_add(report.stats.steps, Ordering::Relaxed);
                    excused.fetch_add(report.excused, Ordering::Relaxed);
                    if let Some(failure) = &report.failure {
                        let again = args.again(seed);
                        println!("FAIL cargo sim {again} -v   # {}: {}", failure.invariant, failure.text);
                        if let Ok(mut failures) = failures.lock() {
                            failures.insert(seed, report);
                        }
                    }
                }
            });
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    let failures = failures.into_inner().unwrap_or_default();
    let ran = next.into_inner().saturating_sub(args.start).min(args.seeds);
    println!(
        "{ran} seeds in {seconds:.1} s ({:.0} seeds/s, {:.0} events/seed), {} failed, {} excused by a split",
        ran as f64 / seconds,
        steps.into_inner() as f64 / ran.max(1) as f64,
        failures.len(),
        excused.into_inner()
    );
    let mut kinds: BTreeMap<(&str, String), (u64, u64)> = BTreeMap::new();
    for (seed, report) in &failures {
        if let Some(failure) = &report.failure {
            let kind = kinds.entry((failure.invariant, args.place(*seed))).or_insert((0, *seed));
            kind.0 += 1;
        }
    }
    for ((invariant, place), (count, seed)) in &kinds {
        println!("{count:>6}  {invariant}  {place}  first: {seed}");
    }
    failures.is_empty()
}
