//! Throws bytes at everything that takes bytes from a peer, a worker or a task. A parser must not panic, not hang, and not take memory
//! that its bounds do not allow; what it accepts must be the same after being written and read again.
//!
//! As an ordinary test it goes through what is kept in `kept/` (inputs that once did harm), through examples of what is meant, and through
//! some thousand changed copies of them, always the same. For as long as one likes, from a new seed each time:
//!
//! ```sh
//! RC_FUZZ_SECONDS=600 cargo nextest run --release -p rc-node --test fuzz --no-capture
//! ```
//!
//! `RC_FUZZ_TARGET` names one parser, `RC_FUZZ_SEED` repeats a run. What does harm is written to `kept/PARSER/`, and is tried first from
//! then on. `guided/` has the same parsers for a fuzzer that is guided by coverage.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "in a test an unexpected value is a failure")]

mod engine;
mod targets;

use engine::Engine;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use targets::Target;

/// Changed copies that are tried in an ordinary run, of each parser.
const COPIES: u64 = 2_000;
/// A parser that takes longer for one input hangs.
const HANG: Duration = Duration::from_secs(20);
/// What all of it may hold in memory; beyond, an allocation fails and the run ends.
const MEMORY_BYTES_MAX: u64 = 3 << 30;

fn kept(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/fuzz/kept").join(target.name)
}

fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(kept(target)).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
    names.sort();
    names.iter().map(|path| std::fs::read(path).unwrap()).chain((target.seeds)()).collect()
}

/// Hands it over, and keeps what does harm.
fn throw(target: &Target, input: &[u8]) {
    let begin = Instant::now();
    let done = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    if done.is_ok() && begin.elapsed() < HANG {
        return;
    }
    let name = &blake3::hash(input).to_hex()[..16];
    let path = kept(target).join(name);
    std::fs::create_dir_all(kept(target)).unwrap();
    std::fs::write(&path, input).unwrap();
    let what = if done.is_err() { "panicked" } else { "took too long" };
    panic!("{} {what}; the input is {}", target.name, path.display());
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

fn bound_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit { current: Some(MEMORY_BYTES_MAX), maximum: Some(MEMORY_BYTES_MAX) };
    setrlimit(Resource::Data, limit).unwrap();
}

#[test]
fn what_once_did_harm_does_none_now() {
    bound_memory();
    for target in targets::all() {
        inputs(&target).iter().for_each(|input| throw(&target, input));
    }
}

#[test]
fn every_parser_survives_what_is_thrown_at_it() {
    bound_memory();
    let only = std::env::var("RC_FUZZ_TARGET").ok();
    let targets: Vec<_> =
        targets::all().into_iter().filter(|t| only.as_ref().is_none_or(|only| only == t.name)).collect();
    assert!(!targets.is_empty(), "no such parser: {only:?}");
    let time = number("RC_FUZZ_SECONDS").map(|seconds| Duration::from_secs(seconds) / targets.len() as u32);
    let random = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = number("RC_FUZZ_SEED").unwrap_or_else(|| if time.is_some() { random() } else { 1 });
    println!("RC_FUZZ_SEED={seed}");
    for target in targets {
        let inputs = inputs(&target);
        assert!(!inputs.is_empty(), "{} has no example", target.name);
        let mut engine = Engine::new(seed, inputs);
        let (begin, mut thrown) = (Instant::now(), 0_u64);
        while time.map_or(thrown < COPIES / target.weight, |time| begin.elapsed() < time) {
            throw(&target, engine.next());
            thrown += 1;
        }
        let seconds = begin.elapsed().as_secs_f64();
        println!("{:<16} {thrown:>10} inputs, {:>9.0} /s", target.name, thrown as f64 / seconds);
    }
}
