//! The flags of `batch`.

use super::TaskFlags;
use super::verbs::{OutputArgs, duration, id};
use clap::{Args, Subcommand, ValueEnum};
use std::time::Duration;

#[derive(Args, Debug)]
pub(in crate::cli) struct BatchArgs {
    #[command(subcommand)]
    pub(in crate::cli) verb: BatchVerb,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum BatchVerb {
    /// Hand in many tasks at once; prints the batch's id
    #[command(after_help = "\
Examples:
  rc-node batch submit tasks.json --wait
  rc-node batch submit - --name nightly < tasks.jsonl
  ls *.mkv | rc-node batch submit --each-line -- ffprobe {}
  rc-node batch submit hosts.txt --each-line --timeout 20s -- ping -c 1 {}
  rc-node batch submit --array 1-1000 -- ./simulate --seed {}
{} stands for the line or the number; without any, it is the last argument.")]
    Submit(Box<BatchSubmitArgs>),
    /// List the cluster's batches and flows, the newest first
    #[command(after_help = "Example:\n  rc-node batch ls -o json")]
    #[command(visible_alias = "list")]
    Ls {
        /// At most so many
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show how a batch stands, and which of its tasks failed
    #[command(
        after_help = "Examples:\n  rc-node batch show last\n  rc-node batch show 01kakz --tasks open --limit 20\n  rc-node batch show last --wait"
    )]
    Show {
        /// The batch: its id, the first characters of it, or `last`
        #[arg(value_name = "BATCH", value_parser = id)]
        id: String,
        /// Which of its tasks to list
        #[arg(long, value_enum, default_value_t = Listed::Failed, value_name = "WHICH")]
        tasks: Listed,
        /// At most so many
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        wait: WaitFlag,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Let those of a batch's or flow's tasks that failed or ran out of time begin again
    #[command(
        after_help = "Examples:\n  rc-node batch retry-failed last --wait\n  rc-node batch retry-failed last --cancelled"
    )]
    RetryFailed {
        /// The batch: its id, the first characters of it, or `last`
        #[arg(value_name = "BATCH", value_parser = id)]
        id: String,
        /// Those that were cancelled as well
        #[arg(long)]
        cancelled: bool,
        #[command(flatten)]
        wait: WaitFlag,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Cancel those of a batch's tasks that have not ended
    #[command(after_help = "Example:\n  rc-node batch cancel last")]
    Cancel {
        /// The batch: its id, the first characters of it, or `last`
        #[arg(value_name = "BATCH", value_parser = id)]
        id: String,
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// Which tasks of a batch are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Listed {
    /// Those that failed or ran out of time
    Failed,
    /// Those that were cancelled
    Cancelled,
    /// Those that have not ended
    Open,
    /// All
    All,
    /// None
    None,
}

impl Listed {
    /// The word of the API.
    pub(in crate::cli) const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Open => "open",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

#[derive(Args, Debug, Clone, Copy)]
pub(in crate::cli) struct WaitFlag {
    /// Wait until all tasks have ended; with =DURATION at most so long
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, value_parser = duration)]
    #[expect(clippy::option_option, reason = "the flag may be there without a value")]
    pub(in crate::cli) wait: Option<Option<Duration>>,
}

/// How a batch or a flow is handed in.
#[derive(Args, Debug)]
pub(in crate::cli) struct HandingFlags {
    #[command(flatten)]
    pub(in crate::cli) wait: WaitFlag,
    /// Answer when so many devices have it on disk, or after 2 s [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(in crate::cli) ack: Option<u16>,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

impl HandingFlags {
    /// The API's path with what it is asked there.
    pub(in crate::cli) fn path(&self, path: &str) -> String {
        self.ack.map_or_else(|| path.to_owned(), |disks| format!("{path}?disks={disks}"))
    }
}

#[derive(Args, Debug)]
pub(in crate::cli) struct BatchSubmitArgs {
    /// Tasks as a JSON list, or one after the other, or with --each-line, lines; - is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["array", "each_line"], conflicts_with = "array")]
    pub(in crate::cli) file: Option<String>,
    /// A command for each line of FILE (standard input, if none is named)
    #[arg(long, requires = "argv")]
    pub(in crate::cli) each_line: bool,
    /// A command for each of these numbers, e.g. 1-1000, or 0-90:10 in steps
    #[arg(long, value_name = "FROM-TO[:STEP]", requires = "argv", conflicts_with = "each_line")]
    pub(in crate::cli) array: Option<String>,
    /// What the batch is for
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) description: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) task: TaskFlags,
    #[command(flatten)]
    pub(in crate::cli) handing: HandingFlags,
    /// The command and its arguments
    #[arg(value_name = "CMD", last = true)]
    pub(in crate::cli) argv: Vec<String>,
}
