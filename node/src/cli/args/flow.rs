//! The flags of `flow` and `template`.

use super::batch::{HandingFlags, WaitFlag};
use super::verbs::{OutputArgs, id};
use crate::flow::graph::Picture;
use clap::{Args, Subcommand, ValueEnum};

#[derive(Args, Debug)]
pub(in crate::cli) struct FlowArgs {
    #[command(subcommand)]
    pub(in crate::cli) verb: FlowVerb,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum FlowVerb {
    /// Hand a flow in; prints its id
    #[command(
        after_help = "Examples:\n  rc-node flow run thumbnails.toml --set film=film.mkv --wait\n  rc-node flow run - --set n=3 < flow.yaml"
    )]
    Run {
        /// The flow: TOML, YAML or JSON; - is standard input
        #[arg(value_name = "FILE")]
        file: String,
        #[command(flatten)]
        set: SetFlags,
        /// On whose behalf, unless a task says so itself: those of different names take turns [default: the device]
        #[arg(long, value_name = "NAME")]
        submitter: Option<String>,
        #[command(flatten)]
        handing: HandingFlags,
    },
    /// Say whether a flow could be handed in, or what is wrong with it and where; talks to no node
    #[command(after_help = "Example:\n  rc-node flow validate thumbnails.toml --set film=film.mkv")]
    Validate {
        /// The flow: TOML, YAML or JSON; - is standard input
        #[arg(value_name = "FILE")]
        file: String,
        #[command(flatten)]
        set: SetFlags,
    },
    /// Draw a flow; talks to no node
    #[command(
        after_help = "Examples:\n  rc-node flow graph thumbnails.toml\n  rc-node flow graph thumbnails.toml -o dot | dot -Tsvg > flow.svg"
    )]
    Graph {
        /// The flow: TOML, YAML or JSON; - is standard input
        #[arg(value_name = "FILE")]
        file: String,
        #[command(flatten)]
        set: SetFlags,
        /// For people, for Graphviz, or for Mermaid; a star, or a whole line, is where a result is used
        #[arg(short, long, value_enum, default_value_t = GraphFormat::Text, value_name = "FORMAT")]
        output: GraphFormat,
    },
    /// Show where each task of a flow stands
    #[command(after_help = "Examples:\n  rc-node flow show last\n  rc-node flow show last --wait")]
    Show {
        /// The flow: its id, the first characters of it, or `last`
        #[arg(value_name = "FLOW", value_parser = id)]
        id: String,
        #[command(flatten)]
        wait: WaitFlag,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List the cluster's flows, the newest first
    #[command(after_help = "Example:\n  rc-node flow ls")]
    #[command(visible_alias = "list")]
    Ls {
        /// At most so many
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Args, Debug)]
pub(in crate::cli) struct TemplateArgs {
    #[command(subcommand)]
    pub(in crate::cli) verb: TemplateVerb,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum TemplateVerb {
    /// Keep a flow in the cluster under a name; again replaces it
    #[command(after_help = "Example:\n  rc-node template add thumbnails thumbnails.toml")]
    Add {
        /// Its name
        name: String,
        /// The flow: TOML, YAML or JSON; - is standard input
        #[arg(value_name = "FILE")]
        file: String,
    },
    /// Hand in the flow of that name, on any device; prints the flow's id
    #[command(after_help = "Example:\n  rc-node template run thumbnails --set film=film.mkv --wait")]
    Run {
        /// Its name
        name: String,
        #[command(flatten)]
        set: SetFlags,
        /// On whose behalf, unless a task says so itself: those of different names take turns [default: the device]
        #[arg(long, value_name = "NAME")]
        submitter: Option<String>,
        #[command(flatten)]
        handing: HandingFlags,
    },
    /// Print a template as JSON, which `flow` reads
    #[command(
        after_help = "Examples:\n  rc-node template show thumbnails\n  rc-node template show thumbnails | rc-node flow graph -"
    )]
    Show {
        /// Its name
        name: String,
    },
    /// List the templates that the cluster keeps
    #[command(after_help = "Example:\n  rc-node template ls")]
    #[command(visible_alias = "list")]
    Ls {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Forget a template; flows that were handed in go on
    #[command(after_help = "Example:\n  rc-node template rm thumbnails")]
    Rm {
        /// Its name
        name: String,
    },
}

#[derive(Args, Debug)]
pub(in crate::cli) struct SetFlags {
    /// The value of a variable: JSON if it reads as such, else text; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
}

/// How a flow is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum GraphFormat {
    /// For people
    Text,
    /// For Graphviz
    Dot,
    /// For Mermaid
    Mermaid,
}

impl From<GraphFormat> for Picture {
    fn from(format: GraphFormat) -> Self {
        match format {
            GraphFormat::Text => Self::Text,
            GraphFormat::Dot => Self::Dot,
            GraphFormat::Mermaid => Self::Mermaid,
        }
    }
}
