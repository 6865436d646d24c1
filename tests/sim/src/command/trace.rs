//! Traces: failing runs made small and written down, and run again.

use super::seeds::tell;
use crate::args::Args;
use rc_sim::regression::Regression;
use rc_sim::shrink::shrink as smaller;
use rc_sim::{Detail, play};
use std::path::Path;

/// Makes a failing seed small and writes it down.
pub fn shrink(args: &Args, seed: u64, file: &Path) -> Result<bool, String> {
    let scenario = args.scenario(seed);
    let Some(failure) = play(&scenario, Detail::Hash, None).failure else {
        return Err(format!("{} keeps every promise; there is nothing to shrink", args.again(seed)));
    };
    std::panic::set_hook(Box::new(|_| {}));
    let broken = |scenario: &_| play(scenario, Detail::Hash, None).failure.filter(|f| f.invariant == failure.invariant);
    let small = smaller(&scenario, |scenario| broken(scenario).is_some());
    let text = broken(&small).map_or(failure.text, |failure| failure.text);
    println!(
        "{}: {text}\n{} devices, {} tasks, {} faults, {} s; before: {}, {}, {}, {} s",
        failure.invariant,
        small.devices.len(),
        small.scripts.len(),
        small.faults.len(),
        small.seconds,
        scenario.devices.len(),
        scenario.scripts.len(),
        scenario.faults.len(),
        scenario.seconds
    );
    Regression::new(text, failure.invariant.to_owned(), None, small).write(file)?;
    println!("cargo sim --replay {} -v", file.display());
    Ok(false)
}

/// Runs a trace.
pub fn replay(args: &Args, file: &Path) -> Result<bool, String> {
    let regression = Regression::read(file)?;
    let detail = if args.verbose { Detail::Print } else { Detail::Tail };
    let report = play(&regression.scenario, detail, args.only.clone());
    Ok(tell(&file.display().to_string(), &report, args.verbose))
}
