//! Runs seeds through the simulator and says which of them break a promise.
//!
//! `cargo sim --seeds 1000 --class crash-one` runs many; `cargo sim --seed 7 --class crash-one -v` runs one and prints all of it.

use rc_sim::{Class, Detail, Plan, Report, run};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const USAGE: &str =
    "cargo sim [--seeds N] [--start S] [--seed S] [--class CLASS] [--devices N] [--tasks N] [--seconds N]
          [--check-every STEPS] [--fail-fast] [--twice] [-v [--only TEXT]]
  --seeds N     how many (100); the class of each goes round all of them unless --class is given
  --seed S      just this one; -v prints everything that happens, --only the lines that contain TEXT
  --twice       run each seed twice and compare
cargo sim --scale [10,100,1000]   what so many devices cost, as a table";

#[derive(Clone, Debug)]
struct Args {
    seeds: u64,
    start: u64,
    one: Option<u64>,
    class: Option<Class>,
    devices: Option<usize>,
    tasks: Option<usize>,
    seconds: u64,
    check_every: u64,
    verbose: bool,
    only: Option<String>,
    fail_fast: bool,
    twice: bool,
}

impl Args {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Self {
            seeds: 100,
            start: 0,
            one: None,
            class: None,
            devices: None,
            tasks: None,
            seconds: 60,
            check_every: 16,
            verbose: false,
            only: None,
            fail_fast: false,
            twice: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
            match word.as_str() {
                "--seeds" => args.seeds = number(value()?)?,
                "--start" => args.start = number(value()?)?,
                "--seed" => args.one = Some(number(value()?)?),
                "--class" => {
                    let text = value()?;
                    let all: Vec<_> = Class::ALL.iter().map(|class| class.word()).collect();
                    args.class =
                        Some(Class::from_word(&text).ok_or_else(|| format!("{text} is none of {}", all.join(" ")))?);
                }
                "--devices" => args.devices = Some(number(value()?)?.clamp(1, 60) as usize),
                "--tasks" => args.tasks = Some(number(value()?)? as usize),
                "--seconds" => args.seconds = number(value()?)?.max(10),
                "--check-every" => args.check_every = number(value()?)?,
                "--only" => args.only = Some(value()?),
                "-v" | "--trace" => args.verbose = true,
                "--fail-fast" => args.fail_fast = true,
                "--twice" => args.twice = true,
                other => return Err(format!("{other}: unknown\n{USAGE}")),
            }
        }
        Ok(args)
    }

    fn plan(&self, seed: u64) -> Plan {
        let plan = Plan::of_seed(seed);
        Plan {
            class: self.class.unwrap_or(plan.class),
            devices: self.devices,
            tasks: self.tasks,
            seconds: self.seconds,
            check_every: self.check_every,
            ..plan
        }
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, sizes @ ..] = &words[..]
        && first == "--scale"
    {
        return match rc_sim::scale::print(sizes.first().map(String::as_str)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                eprintln!("{message}");
                ExitCode::from(2)
            }
        };
    }
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    match args.one {
        Some(seed) => one(&args, seed),
        None => many(&args),
    }
}

/// Runs one seed and prints what happens.
fn one(args: &Args, seed: u64) -> ExitCode {
    let detail = if args.verbose { Detail::Print } else { Detail::Tail };
    let report = run(&args.plan(seed), detail, args.only.clone());
    let Some(failure) = &report.failure else {
        println!(
            "seed {seed}: ok, {} tasks, {} events, hash {:016x}",
            report.accepted, report.stats.steps, report.hash
        );
        return ExitCode::SUCCESS;
    };
    if !args.verbose {
        report.tail.iter().rev().take(60).rev().for_each(|line| println!("{line}"));
    }
    println!("seed {seed}: {}: {}", failure.invariant, failure.text);
    ExitCode::FAILURE
}

/// Runs many seeds on all processors.
fn many(args: &Args) -> ExitCode {
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
                    let plan = args.plan(seed);
                    let mut report = run(&plan, Detail::Hash, None);
                    if args.twice && report.failure.is_none() {
                        let again = run(&plan, Detail::Hash, None);
                        if again.hash != report.hash {
                            report.failure = Some(rc_sim::world::Failure {
                                invariant: "same_seed_same_trace",
                                text: format!("{:016x} and {:016x}", report.hash, again.hash),
                            });
                        }
                    }
                    steps.fetch_add(report.stats.steps, Ordering::Relaxed);
                    excused.fetch_add(report.excused, Ordering::Relaxed);
                    if let Some(failure) = &report.failure {
                        println!("FAIL cargo sim {plan} -v   # {}: {}", failure.invariant, failure.text);
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
    let mut kinds: BTreeMap<(&str, Class), (u64, u64)> = BTreeMap::new();
    for (seed, report) in &failures {
        if let Some(failure) = &report.failure {
            let kind = kinds.entry((failure.invariant, args.plan(*seed).class)).or_insert((0, *seed));
            kind.0 += 1;
        }
    }
    for ((invariant, class), (count, seed)) in &kinds {
        println!("{count:>6}  {invariant}  {class}  first: {seed}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
