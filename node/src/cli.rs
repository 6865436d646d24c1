//! The command line: what a person types, and what a person reads. Every verb but `run` is a client of a daemon, or of a node that
//! lives as long as the verb. Decides nothing about tasks.

mod args;
mod command;
mod daemon;
mod engine;
mod error;
mod files;
mod logs;
mod output;
mod progress;
mod request;
mod screen;
mod session;
mod watch;

pub use engine::EngineError;
pub use error::{CliError, Exit};

use clap::Parser;
use std::process::ExitCode;

/// Runs the program with the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let cli = args::Cli::parse();
    match command::dispatch(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            error.print();
            ExitCode::from(error.exit.code())
        }
    }
}
