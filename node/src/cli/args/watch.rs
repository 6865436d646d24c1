//! The flags of the verbs that watch.

use super::verbs::OutputArgs;
use clap::Args;

#[derive(Args, Debug)]
pub(in crate::cli) struct EventsArgs {
    /// Go on until Ctrl-C; also when the node is started anew
    #[arg(short, long)]
    pub(in crate::cli) follow: bool,
    /// Only of this task: its id, the first characters of it, or `last`
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) task: Option<String>,
    /// Only of tasks of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub(in crate::cli) task_type: Option<String>,
    /// Only of what is at this device: its name, its id, or the first characters of it
    #[arg(long, value_name = "DEVICE")]
    pub(in crate::cli) device: Option<String>,
    /// Only of these kinds
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',')]
    pub(in crate::cli) kinds: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct StatsArgs {
    /// Tasks that ended since so long ago, e.g. 90m or 7d
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub(in crate::cli) period: String,
    /// A row for each device, or for each type
    #[arg(long, value_name = "WORD", default_value = "device", value_parser = ["device", "type"])]
    pub(in crate::cli) by: String,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}
