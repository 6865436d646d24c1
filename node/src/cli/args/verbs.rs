//! The flags of each verb.

use super::{CommandFlags, PeersVerb, TaskFlags};
use crate::cli::output::Format;
use crate::config::units;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

fn duration(text: &str) -> Result<Duration, units::UnitError> {
    units::parse_duration(text)
}

/// An empty one, as from an unset variable, would begin every id.
fn id(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("an id has at least one character") } else { Ok(text.to_owned()) }
}

#[derive(Args, Debug, Clone)]
pub(in crate::cli) struct OutputArgs {
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(in crate::cli) output: Format,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct DemoArgs {
    /// Keep the nodes running until Ctrl-C
    #[arg(long)]
    pub(in crate::cli) keep: bool,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct InviteArgs {
    /// No QR code, even on a terminal
    #[arg(long)]
    pub(in crate::cli) no_qr: bool,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct JoinArgs {
    /// The ticket that `rc-node invite` printed
    pub(in crate::cli) ticket: String,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct StatusArgs {
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct PeersArgs {
    #[command(subcommand)]
    pub(in crate::cli) verb: Option<PeersVerb>,
    /// Show it again when something changes, until Ctrl-C
    #[arg(short, long)]
    pub(in crate::cli) watch: bool,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct TaskArgs {
    #[command(subcommand)]
    pub(in crate::cli) verb: TaskVerb,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum TaskVerb {
    /// List the task types, which devices do them, and why the others do not
    Types {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Give a WebAssembly module a name, under which any device submits it and any that has `wasm` runs it; again replaces it
    #[command(
        after_help = "Examples:\n  rc-node task register fib fib.wasm --function fibonacci --params n\n  rc-node submit fib -p n=50 --wait"
    )]
    Register {
        /// The new task type
        name: String,
        /// The module
        file: PathBuf,
        /// The function to call; without, it is a program: the payload is its standard input
        #[arg(long, value_name = "NAME")]
        function: Option<String>,
        /// Fields of the payload that are the function's arguments, in order; without, the payload has `args`
        #[arg(long, value_name = "FIELD", value_delimiter = ',', requires = "function")]
        params: Vec<String>,
    },
    /// Forget a name given by `register`; tasks that were submitted go on
    #[command(after_help = "Example:\n  rc-node task unregister fib")]
    Unregister {
        /// The task type
        name: String,
    },
}

#[derive(Args, Debug)]
pub(in crate::cli) struct PsArgs {
    /// Only tasks of this status
    #[arg(long, value_name = "STATUS")]
    pub(in crate::cli) status: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(in crate::cli) limit: u32,
    /// Show them again when something changes, until Ctrl-C
    #[arg(short, long)]
    pub(in crate::cli) watch: bool,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct IdArgs {
    /// The task: its id, the first characters of it, or `last`
    #[arg(value_name = "ID", value_parser = id)]
    pub(in crate::cli) id: String,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct ResultArgs {
    /// Write the files that a command left (see `submit --out`) below this directory
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) task: IdArgs,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct LogsArgs {
    /// Go on until the task has ended
    #[arg(short, long)]
    pub(in crate::cli) follow: bool,
    #[command(flatten)]
    pub(in crate::cli) task: IdArgs,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct WaitArgs {
    /// The tasks: ids, first characters of ids, or `last`
    #[arg(value_name = "ID", required = true, value_parser = id)]
    pub(in crate::cli) ids: Vec<String>,
    /// Give up after this long, e.g. 90s [default: never]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) timeout: Option<Duration>,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct CancelArgs {
    /// The tasks: ids, first characters of ids, or `last`
    #[arg(value_name = "ID", required = true, value_parser = id)]
    pub(in crate::cli) ids: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct SubmitArgs {
    /// What kind of task: echo, sleep, system_info, python_eval, command, …
    #[arg(value_name = "TYPE", required_unless_present = "file")]
    pub(in crate::cli) task_type: Option<String>,
    /// What the task works on: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub(in crate::cli) payload: Option<String>,
    /// A field of the payload; the value is JSON if it reads as such, else text
    #[arg(short, long = "param", value_name = "KEY=VALUE")]
    pub(in crate::cli) param: Vec<String>,
    /// A WebAssembly module for the task, from a file here; fills the payload's field `module`
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) module: Option<PathBuf>,
    /// A blob that the task works with, by its hash (see `rc-node blob put`); may be repeated
    #[arg(long = "blob", value_name = "HASH")]
    pub(in crate::cli) blobs: Vec<String>,
    /// A task, or a list of tasks, in JSON; flags go over it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) task: TaskFlags,
    #[command(flatten)]
    pub(in crate::cli) files: CommandFlags,
    /// Wait for the end and print the result; with =DURATION at most so long
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, value_parser = duration)]
    pub(in crate::cli) wait: Option<Option<Duration>>,
    /// Answer when so many devices have it on disk, or after 2 s [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(in crate::cli) ack: Option<u16>,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct ExecArgs {
    #[command(flatten)]
    pub(in crate::cli) task: TaskFlags,
    /// The directory to run in, on the device that runs it
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) cwd: Option<String>,
    /// Send this program's standard input to the command, all of it, before it starts; the same as --stdin -
    #[arg(short = 'i', conflicts_with = "stdin")]
    pub(in crate::cli) input: bool,
    #[command(flatten)]
    pub(in crate::cli) files: CommandFlags,
    /// The command and its arguments
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(in crate::cli) argv: Vec<String>,
}
