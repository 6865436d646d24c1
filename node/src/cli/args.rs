//! The verbs and their flags, as clap reads them. Interprets nothing.

mod batch;
mod blob;
mod flow;
mod owner;
mod task;
mod verbs;
mod watch;

pub(super) use batch::{BatchArgs, BatchSubmitArgs, BatchVerb, HandingFlags, Listed};
pub(super) use blob::{BlobArgs, BlobVerb};
pub(super) use flow::{FlowArgs, FlowVerb, SetFlags, TemplateArgs, TemplateVerb};
pub(super) use owner::{DeviceArgs, PeersVerb, PolicyArgs, PolicyVerb};
pub(super) use task::{CommandFlags, TaskFlags};
pub(super) use verbs::{
    CancelArgs, DemoArgs, ExecArgs, IdArgs, InviteArgs, JoinArgs, LogsArgs, PeersArgs, PsArgs, ResultArgs, SchedArgs,
    SchedVerb, SimulateArgs, StatusArgs, SubmitArgs, TaskArgs, TaskVerb, WaitArgs,
};

pub(super) use watch::{EventsArgs, StatsArgs};

use crate::config::Layer;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Pools old laptops, phones and single-board computers into one cluster without a master.
///
/// Run `rc-node` on each device; then submit tasks on any of them, and the best device runs them.
#[derive(Parser, Debug)]
#[command(
    name = "rc-node",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  rc-node demo                             three nodes on this device, to see it work
  rc-node                                  run a node here
  rc-node invite                           print a ticket; on another device: rc-node join TICKET
  rc-node submit echo -p message=hi --wait
  rc-node exec -- uname -a

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 no node runs here, 6 wait timed out,
7 accepted but no device fits now, 8 ambiguous id, 9 some of several failed.
Settings: flag, then RC_NODE_* in the environment, then config file, then default."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(flatten)]
    pub(super) run: Layer,
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

#[derive(Args, Debug, Clone)]
pub(super) struct Global {
    /// Identity, log and socket of one node live there [env: RC_NODE_DATA_DIR] [default: ~/.local/share/rc-node]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Configuration file [env: RC_NODE_CONFIG] [default: ~/.config/rc-node/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Run a node here until it is stopped (this is what `rc-node` alone does)
    #[command(
        after_help = "Examples:\n  rc-node run --name attic --tag nas --allow command\n  RC_NODE_HTTP=off rc-node"
    )]
    Run(Box<Layer>),
    /// See it work: three nodes on this device, and a few tasks
    #[command(after_help = "Example:\n  rc-node demo")]
    Demo(DemoArgs),
    /// Print a ticket that lets another device join this cluster
    #[command(
        after_help = "Example:\n  rc-node invite          on this device\n  rc-node join TICKET     on the new one, then: rc-node"
    )]
    Invite(InviteArgs),
    /// Make this device a member of the cluster that a ticket is from
    #[command(after_help = "Example:\n  rc-node join rc1aebagbafaydqqcikbm && rc-node")]
    Join(JoinArgs),
    /// Show how the node on this device is doing
    #[command(after_help = "Examples:\n  rc-node status\n  rc-node status -o json")]
    Status(StatusArgs),
    /// Submit a task; prints its id
    #[command(after_help = "\
Examples:
  rc-node submit echo -p message=hi --wait
  rc-node submit python_eval -p expression='2**64' --wait
  rc-node submit command --payload '{\"argv\":[\"uname\",\"-a\"]}' --required-platform linux
  rc-node submit --file task.json --priority high
  echo '{\"duration\":5}' | rc-node submit sleep --payload -
Exits with 7 if it is accepted and no device fits now; it runs when one does.")]
    Submit(Box<SubmitArgs>),
    /// Run a command on the best device, print its output, and exit with its code
    #[command(after_help = "\
Examples:
  rc-node exec -- uname -a
  rc-node exec --required-arch aarch64 --timeout 90s -- sh -c 'cat /proc/cpuinfo | wc -l'
  rc-node exec --in film.mkv --out '*.png' -- ffmpeg -i film.mkv -frames 1 still.png
  sort names.txt | rc-node exec -i -- uniq -c
Exits with the command's own code, 124 if it ran out of time, 125 if rc-node failed, 128+n for signal n.")]
    Exec(Box<ExecArgs>),
    /// List the cluster's devices; pause or drain one
    #[command(
        after_help = "Examples:\n  rc-node peers\n  rc-node peers -o wide\n  rc-node peers pause attic 2h\n  rc-node peers drain attic"
    )]
    Peers(PeersArgs),
    /// Say when this device works: show, set, pause, resume
    #[command(
        after_help = "Examples:\n  rc-node policy show\n  rc-node policy set battery.min=30\n  rc-node policy pause 30m\n  rc-node policy resume"
    )]
    Policy(PolicyArgs),
    /// Say what tasks there can be
    #[command(after_help = "Examples:\n  rc-node task types\n  rc-node task types -o json")]
    Task(TaskArgs),
    /// List the cluster's tasks, the newest first
    #[command(after_help = "Examples:\n  rc-node ps\n  rc-node ps --status failed --limit 10 -o wide")]
    Ps(PsArgs),
    /// Show a task and its attempts
    #[command(after_help = "Examples:\n  rc-node show last\n  rc-node show 01kakz -o json")]
    Show(IdArgs),
    /// Print a task's result
    #[command(
        after_help = "Examples:\n  rc-node result last\n  rc-node result 01kakz -o json\nExits with 6 if the task has not ended."
    )]
    Result(ResultArgs),
    /// Print what a task wrote; with -f also what it writes, until it has ended
    #[command(after_help = "\
Examples:
  rc-node logs last
  rc-node logs -f 01kakz             on any device; goes on with the next attempt if the first is lost
  rc-node logs -f last -o jsonl
What a task wrote to its standard output goes to standard output, the rest to standard error.
Exits with 1 if -f was given and the task did not complete.")]
    Logs(LogsArgs),
    /// Wait for tasks to end and print their results
    #[command(after_help = "Examples:\n  rc-node wait last --timeout 90s\n  rc-node wait 01kakz 01kam0 -o jsonl")]
    Wait(WaitArgs),
    /// Cancel tasks
    #[command(after_help = "Examples:\n  rc-node cancel last\n  rc-node cancel $(rc-node ps --status pending -o id)")]
    Cancel(CancelArgs),
    /// Let tasks that failed, ran out of time or were cancelled begin again, under the same id
    #[command(after_help = "Examples:\n  rc-node retry last\n  rc-node retry $(rc-node ps --status failed -o id)")]
    Retry(CancelArgs),
    /// Say why a task is where it is: which devices fit, how they score, and what would make it run
    #[command(after_help = "\
Examples:
  rc-node explain last
  rc-node explain last -o json       the same bytes on every device that has the same `view_hash`
The devices are as they are now; where a task was placed, and for which score, is from then.")]
    Explain(IdArgs),
    /// Say where a task would go, without submitting it; takes what submit takes
    #[command(after_help = "\
Examples:
  rc-node plan command --payload '{\"argv\":[\"make\"]}' --min-memory-gb 4
  rc-node plan --file task.json -o json
Exits with 7 if no device fits now. Of equal devices, a task's id decides, which it gets when it is submitted.")]
    Plan(Box<SubmitArgs>),
    /// Try out what would happen: with a device more or less, or once more what has happened
    #[command(after_help = "\
Examples:
  rc-node sched simulate
  rc-node sched simulate --without pixel --add like=nas
  rc-node sched simulate --replay 6h --add cpu_cores=8,memory_gb=16,max_concurrent_tasks=8")]
    Sched(SchedArgs),
    /// Show everything that happened to a task: every fact in its order, with device and attempt
    #[command(after_help = "Examples:\n  rc-node history last\n  rc-node history last -o json")]
    History(IdArgs),
    /// Hand in many tasks at once; list, show, cancel them, and have those that failed begin again
    #[command(after_help = "\
Examples:
  rc-node batch submit tasks.jsonl --name thumbnails --wait
  ls *.mkv | rc-node batch submit --each-line -- ffprobe {}
  rc-node batch submit --array 1-1000 --name sweep -- ./simulate --seed {}
  rc-node batch show last
  rc-node batch retry-failed last --wait
All of a batch is accepted, or nothing. FILE is a JSON list of tasks, or a task on each line; - is standard input.")]
    Batch(BatchArgs),
    /// Tasks that come after one another and use what others left: run, validate, graph, show
    #[command(after_help = "\
Examples:
  rc-node flow run thumbnails.toml --set film=film.mkv --wait
  rc-node flow validate thumbnails.toml
  rc-node flow graph thumbnails.toml -o mermaid
  rc-node flow show last
A flow is a batch, too: rc-node batch cancel ID, rc-node batch retry-failed ID.
A small one, in TOML:
  [tasks.list]
  task_type = \"command\"
  payload = { argv = [\"ls\", \"{{dir}}\"] }
  [tasks.count]
  task_type = \"python_eval\"
  payload = { expression = \"len('''{{tasks.list.result.stdout}}'''.split())\" }")]
    Flow(FlowArgs),
    /// Keep flows in the cluster under a name, and run them on any device
    #[command(after_help = "\
Examples:
  rc-node template add thumbnails thumbnails.toml
  rc-node template run thumbnails --set film=film.mkv --wait
  rc-node template ls
  rc-node template rm thumbnails")]
    Template(TemplateArgs),
    /// Print what happens in the cluster: to the tasks that this device keeps, and to devices
    #[command(after_help = "\
Examples:
  rc-node events -f
  rc-node events -f --kind on_error,alert,peer.lost -o jsonl
  rc-node events -f --task last
Kinds: on_submit on_schedule on_start on_progress on_complete on_error, attempt.over, task.speculated, peer.up, peer.lost, peer.twins,
device.woke, device.overloaded, cluster.add_device, alert, other. Without -f: what is remembered, from the first listener on until ten minutes after the last one.")]
    Events(EventsArgs),
    /// Say what the cluster's tasks of a period came to: how many, how well, how fast
    #[command(after_help = "\
Examples:
  rc-node stats
  rc-node stats --period 1h --by type -o wide
Delay is from submission to the start of the attempt that counts, run is that attempt, response is both.
USED is the time that slots were busy, of all that there was in the period.")]
    Stats(StatsArgs),
    /// Print this device's figures, as Prometheus reads them at `/metrics`
    #[command(after_help = "Example:\n  rc-node metrics | grep rcnode_tasks")]
    Metrics,
    /// Put large data into the cluster, get it out, list what is here
    #[command(after_help = "\
Examples:
  rc-node blob put video.mkv                prints the hash; `-` is standard input
  rc-node submit echo --blob HASH           the task keeps it, and copies go where the task goes
  rc-node blob get HASH -f copy.mkv         from this device, or whichever has it
  rc-node blob ls
A blob that no task names stays for blobs_grace (24 h); one that a task names stays as long as the task's record.")]
    Blob(BlobArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  rc-node completions bash > ~/.local/share/bash-completion/completions/rc-node")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}
