//! The flags of the verbs that say when devices work.

use super::verbs::OutputArgs;
use clap::{Args, Subcommand};

/// A device of the cluster.
#[derive(Args, Debug)]
pub(in crate::cli) struct DeviceArgs {
    /// Its name, its id, or the first characters of its id
    #[arg(value_name = "DEVICE")]
    pub(in crate::cli) device: String,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum PeersVerb {
    /// A device gives up what it runs, which goes on elsewhere, and takes nothing new
    #[command(after_help = "Example:\n  rc-node peers pause attic 2h")]
    Pause {
        #[command(flatten)]
        device: DeviceArgs,
        /// For so long, e.g. 30m [default: until it is resumed]
        #[arg(value_name = "DURATION")]
        duration: Option<String>,
    },
    /// End a device's pause
    #[command(after_help = "Example:\n  rc-node peers resume attic")]
    Resume(DeviceArgs),
    /// A device finishes what it runs, and takes nothing new: to switch it off without loss
    #[command(after_help = "Example:\n  rc-node peers drain attic")]
    Drain(DeviceArgs),
    /// A device that was drained takes work again
    #[command(after_help = "Example:\n  rc-node peers undrain attic")]
    Undrain(DeviceArgs),
}

#[derive(Args, Debug)]
pub(in crate::cli) struct PolicyArgs {
    #[command(subcommand)]
    pub(in crate::cli) verb: PolicyVerb,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum PolicyVerb {
    /// Show whether this device works now, why not, and every limit
    #[command(after_help = "Example:\n  rc-node policy show")]
    Show {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Set limits; they hold at once and after the next start
    #[command(after_help = "\
Examples:
  rc-node policy set battery.min=30 charge_only=off
  rc-node policy set windows='22:00-07:00, sat-sun 00:00-24:00'
  rc-node policy set cpu.max=default       what the config file says, or nobody
Limits:
  battery.min 40      below so many percent it gives up what it runs ...
  battery.resume 60   ... until the battery has so many again and does not fall
  charge_only off     on: works only while it charges (default on phones)
  temp.max 40         above so many °C it gives up what it runs ...
  temp.resume 36      ... until it has cooled down to this
  windows off         hours in which it works, by its own clock
  cpu.max off         above so many percent of all cores it takes nothing new
  mem.max off         likewise of the memory
  max_tasks off       tasks at once")]
    Set {
        /// What, e.g. battery.min=30; `default` takes back what was set
        #[arg(value_name = "NAME=VALUE", required = true)]
        limits: Vec<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Give up what runs here, which goes on elsewhere, and take nothing new
    #[command(after_help = "Examples:\n  rc-node policy pause\n  rc-node policy pause 30m")]
    Pause {
        /// For so long, e.g. 30m [default: until it is resumed]
        #[arg(value_name = "DURATION")]
        duration: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// End a pause
    #[command(after_help = "Example:\n  rc-node policy resume")]
    Resume {
        #[command(flatten)]
        output: OutputArgs,
    },
}
