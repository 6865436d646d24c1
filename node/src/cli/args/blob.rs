//! The flags of `blob`.

use super::verbs::OutputArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(in crate::cli) struct BlobArgs {
    #[command(subcommand)]
    pub(in crate::cli) verb: BlobVerb,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum BlobVerb {
    /// Store a file and print its hash
    Put {
        /// The file, or - for standard input
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Write a blob to standard output or a file; fetched from another device if it is not here
    Get {
        /// Its hash
        #[arg(value_name = "HASH")]
        hash: String,
        /// The file to write; it appears when it is whole
        #[arg(short = 'f', long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// List the blobs on this device
    #[command(visible_alias = "list")]
    Ls {
        #[command(flatten)]
        output: OutputArgs,
    },
}
