//! `completions`: a script that a shell reads.

use crate::cli::args::Cli;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format, Output};
use clap::CommandFactory;

pub(super) fn completions(shell: clap_complete::Shell) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rc-node", &mut script);
    Output::stdout(Format::Table).text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok.code())
}
