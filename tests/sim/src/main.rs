//! `cargo sim`: runs seeds, scenes and traces, shrinks what fails, and breaks the scheduler's rules to see that it is noticed.

mod args;
mod command;

use args::{Args, Do, USAGE};
use rc_sim::mutation::hunt::traces_see_their_mutations;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let done = match &args.what {
        Do::Help => {
            println!("{USAGE}");
            Ok(true)
        }
        Do::Seeds => Ok(command::seeds::many(&args)),
        Do::Seed(seed) => Ok(command::seeds::one(&args, *seed)),
        Do::Shrink(seed, file) => command::trace::shrink(&args, *seed, file),
        Do::Scale(sizes) => rc_sim::scale::print(sizes.as_deref()).map(|()| true),
        Do::Balance => rc_sim::balance::print().map(|()| true),
        Do::Stragglers => rc_sim::balance::stragglers::print().map(|()| true),
        Do::Place(tasks, devices) => rc_sim::balance::print_place(*tasks, *devices).map(|()| true),
        Do::Replay(file) => command::trace::replay(&args, file),
        Do::Mutations(words) => command::mutations::weave_and_hunt(words),
        Do::Hunt(hunt) => hunt.go(),
        Do::Traces => traces_see_their_mutations().map(|seen| {
            println!("{seen} traces see what they are about");
            true
        }),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
