//! One file per verb, and which verb is which.

mod batch;
mod blob;
mod cancel;
mod completions;
mod demo;
mod events;
mod exec;
mod explain;
mod flow;
mod history;
mod invite;
mod join;
mod logs;
mod metrics;
mod peers;
mod plan;
mod policy;
mod ps;
mod register;
mod result;
mod retry;
mod run;
mod sched;
mod show;
mod stats;
mod status;
mod submit;
mod task;
mod template;
mod wait;

use super::args::{Cli, Verb};
use super::error::CliError;
use super::session::{Place, no_runtime};
use crate::config::Layer;
use std::future::Future;

/// Does what was asked; the number is the exit code.
pub(super) fn dispatch(cli: Cli) -> Result<u8, CliError> {
    let Cli { global, run, verb } = cli;
    if run != Layer::default() && !matches!(verb, None | Some(Verb::Run(_))) {
        return Err(CliError::usage(
            "a flag of `run` stands before another verb",
            "put flags after the verb; --help shows which it has",
        ));
    }
    let place = Place::of(&global);
    match verb {
        None => run::run(&place?, run),
        Some(Verb::Run(layer)) => run::run(&place?, (*layer).over(run)),
        Some(Verb::Demo(args)) => block(demo::demo(args)),
        Some(Verb::Invite(args)) => block(invite::invite(&place?, args)),
        Some(Verb::Join(args)) => join::join(&place?, &args),
        Some(Verb::Status(args)) => block(status::status(&place?, args)),
        Some(Verb::Submit(args)) => block(submit::submit(&place?, *args)),
        Some(Verb::Exec(args)) => block(exec::exec(&place?, *args)),
        Some(Verb::Peers(args)) => block(peers::peers(&place?, args)),
        Some(Verb::Policy(args)) => block(policy::policy(&place?, args)),
        Some(Verb::Task(args)) => block(task::task(&place?, args)),
        Some(Verb::Ps(args)) => block(ps::ps(&place?, args)),
        Some(Verb::Show(args)) => block(show::show(&place?, args)),
        Some(Verb::Result(args)) => block(result::result(&place?, args)),
        Some(Verb::Logs(args)) => block(logs::logs(&place?, args)),
        Some(Verb::Wait(args)) => block(wait::wait(&place?, args)),
        Some(Verb::Cancel(args)) => block(cancel::cancel(&place?, args)),
        Some(Verb::Explain(args)) => block(explain::explain(&place?, args)),
        Some(Verb::Plan(args)) => block(plan::plan(&place?, *args)),
        Some(Verb::Sched(args)) => block(sched::sched(&place?, args)),
        Some(Verb::History(args)) => block(history::history(&place?, args)),
        Some(Verb::Batch(args)) => block(batch::batch(&place?, args)),
        Some(Verb::Retry(args)) => block(retry::retry(&place?, args)),
        Some(Verb::Flow(args)) => block(flow::flow(place.ok(), args)),
        Some(Verb::Template(args)) => block(template::template(&place?, args)),
        Some(Verb::Events(args)) => block(events::events(&place?, args)),
        Some(Verb::Stats(args)) => block(stats::stats(&place?, args)),
        Some(Verb::Metrics) => block(metrics::metrics(&place?)),
        Some(Verb::Blob(args)) => block(blob::blob(&place?, args)),
        Some(Verb::Completions { shell }) => completions::completions(shell),
    }
}

/// Runs a verb on this thread: a client has nothing to do at once.
fn block(verb: impl Future<Output = Result<u8, CliError>>) -> Result<u8, CliError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| no_runtime(&error))?;
    runtime.block_on(verb)
}
