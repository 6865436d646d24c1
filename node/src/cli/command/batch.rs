//! `batch`: hands in many tasks at once, tells how they stand, and does something to all of them.

use super::submit::{NO_FIT, say_no_fit, stored};
use crate::api::model::{BatchAccepted, BatchDone, BatchView, TaskView};
use crate::cli::args::{BatchArgs, BatchSubmitArgs, BatchVerb, Listed};
use crate::cli::bulk;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format, Output, bar};
use crate::cli::progress::Progress;
use crate::cli::session::{Place, Session};
use crate::cli::watch::Interrupt;
use crate::client::path_part;
use hyper::Method;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks; a batch that takes long is looked at less often.
const LOOK_MIN: Duration = Duration::from_millis(150);
const LOOK_MAX: Duration = Duration::from_secs(2);
/// Failed tasks that are listed after a wait.
const LISTED: u32 = 100;

pub(super) async fn batch(place: &Place, args: BatchArgs) -> Result<u8, CliError> {
    match args.verb {
        BatchVerb::Submit(args) => submit(place, *args).await,
        BatchVerb::Ls { limit, output } => {
            let mut session = Session::daemon(place).await?;
            let batches: Vec<BatchView> = session.client.get(&format!("/v1/batches?limit={limit}")).await?;
            Output::stdout(output.output).list(&batches)?;
            Ok(Exit::Ok.code())
        }
        BatchVerb::Show { id, tasks, limit, wait, output } => {
            let mut session = Session::daemon(place).await?;
            let mut output = Output::stdout(output.output);
            match wait.wait {
                Some(timeout) => wait_for(&mut session, &id, timeout, (tasks, limit), &mut output).await,
                None => {
                    let view = look(&mut session, &id, tasks, limit).await?;
                    print(&mut output, &view)?;
                    Ok(Exit::Ok.code())
                }
            }
        }
        BatchVerb::RetryFailed { id, cancelled, wait, output } => {
            let mut session = Session::daemon(place).await?;
            let mut output = Output::stdout(output.output);
            let path = format!("/v1/batches/{}/retry-failed?cancelled={cancelled}", path_part(&id));
            let done: BatchDone = session.client.request(Method::POST, &path, None).await?.json()?;
            match wait.wait {
                Some(timeout) if done.refused == 0 => {
                    Progress::stderr().notice(&format!("begun again: {}", done.tasks));
                    wait_for(&mut session, &done.batch_id, timeout, (Listed::Failed, LISTED), &mut output).await
                }
                _ => {
                    if (done.tasks, done.refused) == (0, 0) {
                        let others = if cancelled { "" } else { "; --cancelled takes those that were cancelled, too" };
                        Progress::stderr().notice(&format!("none of its tasks has failed{others}"));
                    }
                    told(&mut output, &done)
                }
            }
        }
        BatchVerb::Cancel { id, output } => {
            let mut session = Session::daemon(place).await?;
            let path = format!("/v1/batches/{}", path_part(&id));
            let done: BatchDone = session.client.request(Method::DELETE, &path, None).await?.json()?;
            told(&mut Output::stdout(output.output), &done)
        }
    }
}

async fn submit(place: &Place, mut args: BatchSubmitArgs) -> Result<u8, CliError> {
    let body = bulk::request(&mut args)?;
    let mut session = Session::daemon(place).await?;
    let handing = args.handing;
    let path = handing.path("/v1/batches");
    let accepted: BatchAccepted = session.client.request(Method::POST, &path, Some(body)).await?.json()?;
    let mut output = Output::stdout(handing.output.output);
    match handed_in(&mut session, &accepted, handing.wait.wait, "batch", &mut output).await? {
        Some(timeout) => {
            wait_for(&mut session, &accepted.batch_id, timeout, (Listed::Failed, LISTED), &mut output).await
        }
        None => Ok(Exit::Ok.code()),
    }
}

/// Says what was accepted; how long to wait for its end, if at all.
pub(super) async fn handed_in<W: std::io::Write>(
    session: &mut Session,
    accepted: &BatchAccepted,
    wait: Option<Option<Duration>>,
    what: &str,
    output: &mut Output<W>,
) -> Result<Option<Option<Duration>>, CliError> {
    let mut progress = Progress::stderr();
    let tasks = if accepted.total == 1 { "task" } else { "tasks" };
    let stored = stored(&accepted.ack_devices, accepted.devices_up);
    progress.notice(&format!("{} {tasks}, {stored}", accepted.total));
    if let Some(first) = accepted.task_ids.first() {
        // The others are mostly like the first one. That it is accepted is true whatever is answered here.
        let found = session.client.get::<TaskView>(&format!("/v1/tasks/{}", path_part(first))).await;
        if let Some(view) = found.ok().filter(|view| view.reason.as_deref() == Some(NO_FIT)) {
            say_no_fit(first, view.detail.as_deref(), &mut progress);
        }
    }
    if wait.is_some() {
        progress.notice(&format!("{what} {}", accepted.batch_id));
        return Ok(wait);
    }
    match output.format() {
        Format::Json | Format::Jsonl => output.json(accepted)?,
        _ => output.text(&format!("{}\n", accepted.batch_id))?,
    }
    Ok(None)
}

async fn look(session: &mut Session, id: &str, tasks: Listed, limit: u32) -> Result<BatchView, CliError> {
    let path = format!("/v1/batches/{}?tasks={}&limit={limit}", path_part(id), tasks.word());
    Ok(session.client.get(&path).await?)
}

/// How it stands, and the tasks that were asked for.
fn print<W: std::io::Write>(output: &mut Output<W>, view: &BatchView) -> Result<(), CliError> {
    if output.format() == Format::Id {
        let ids: String = view.tasks.iter().map(|task| format!("{}\n", task.task_id)).collect();
        return output.text(&ids);
    }
    output.one(view)?;
    if matches!(output.format(), Format::Table | Format::Wide) && !view.tasks.is_empty() {
        output.text("\n")?;
        output.list(&view.tasks)?;
        if view.more {
            Progress::stderr().notice("there are more; see --limit");
        }
    }
    Ok(())
}

/// Waits until all have ended, and tells which failed.
async fn wait_for<W: std::io::Write>(
    session: &mut Session,
    id: &str,
    timeout: Option<Duration>,
    (tasks, limit): (Listed, u32),
    output: &mut Output<W>,
) -> Result<u8, CliError> {
    match wait_over(session, id, timeout, "batch").await? {
        Waited::Code(code) => Ok(code),
        Waited::Over(view) => {
            let view = look(session, &view.batch_id, tasks, limit).await?;
            output.look_at_the_clock();
            print(output, &view)?;
            Ok(over_code(&view))
        }
    }
}

/// How a wait ended.
pub(super) enum Waited {
    /// All have ended.
    Over(Box<BatchView>),
    /// Not so; the exit code.
    Code(u8),
}

/// The exit code for a batch of which all have ended.
pub(super) const fn over_code(view: &BatchView) -> u8 {
    match (view.completed, view.failed + view.cancelled) {
        (_, 0) => Exit::Ok.code(),
        (0, _) => Exit::Failed.code(),
        _ => Exit::SomeFailed.code(),
    }
}

/// Waits until all tasks of a batch have ended, with a bar on a terminal.
pub(super) async fn wait_over(
    session: &mut Session,
    id: &str,
    timeout: Option<Duration>,
    what: &str,
) -> Result<Waited, CliError> {
    let mut interrupt = Interrupt::arm()?;
    let mut progress = Progress::stderr();
    let began = Instant::now();
    let mut pause = LOOK_MIN;
    // What `last` means may change meanwhile.
    let mut view = look(session, id, Listed::None, 1).await?;
    let id = view.batch_id.clone();
    let later = format!("it goes on; rc-node {what} show {id} --wait");
    while !view.is_over() {
        if progress.is_terminal() {
            progress.tell(&bar(&view), "");
        }
        if timeout.is_some_and(|timeout| began.elapsed() >= timeout) {
            progress.clear();
            return Err(CliError::new(
                Exit::WaitTimedOut,
                format!("{what} {id} has not ended in time"),
                format!("{} of {} tasks are done, {} failed", view.completed, view.total, view.failed),
                later,
            ));
        }
        let left = timeout.map_or(pause, |timeout| timeout.saturating_sub(began.elapsed()).min(pause));
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            () = interrupt.hit() => {
                progress.notice(&later);
                return Ok(Waited::Code(Exit::Interrupted.code()));
            }
        }
        pause = (pause + pause / 4).min(LOOK_MAX);
        view = look(session, &id, Listed::None, 1).await?;
    }
    progress.clear();
    Ok(Waited::Over(Box::new(view)))
}

fn told<W: std::io::Write>(output: &mut Output<W>, done: &BatchDone) -> Result<u8, CliError> {
    output.one(done)?;
    Ok(match (done.tasks, done.refused) {
        (_, 0) => Exit::Ok,
        (0, _) => Exit::Failed,
        _ => Exit::SomeFailed,
    }
    .code())
}
