//! `submit`: hands tasks in, and says how safe they are.

use super::{result, wait};
use crate::api::model::{AcceptedView, TaskDetail};
use crate::cli::args::SubmitArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::files::Files;
use crate::cli::output::{Format, Output};
use crate::cli::progress::Progress;
use crate::cli::request::{self, Body};
use crate::cli::session::{Place, Session};
use crate::cli::watch::{self, Ended, Interrupt, Limits, NO_FIT_AFTER};
use crate::client::path_part;
use hyper::Method;
use std::time::Duration;

/// Why a task is pending for which there is no device.
pub(super) const NO_FIT: &str = "NoEligibleDevice";

pub(super) async fn submit(place: &Place, args: SubmitArgs) -> Result<u8, CliError> {
    let mut files = Files::open(&args.files, false)?;
    let body = request::of_submit(&args, &files)?;
    let mut session = Session::daemon_or_embedded(place, body.needs_command).await?;
    session.client.set_trace(request::trace_of(&args.task));
    let done = async {
        let body = if files.is_empty() {
            body
        } else {
            files.upload(place).await?;
            request::of_submit(&args, &files)?
        };
        let after = ids(&mut session, &args.after).await?;
        let body = request::with_after(body, &after)?;
        submit_with(&mut session, &args, body).await
    };
    let done = done.await;
    session.close();
    done
}

/// Whole ids for what was typed.
async fn ids(session: &mut Session, typed: &[String]) -> Result<Vec<String>, CliError> {
    let mut ids = Vec::with_capacity(typed.len());
    for text in typed {
        let task: TaskDetail = session.client.get(&format!("/v1/tasks/{}?live=false", path_part(text))).await?;
        ids.push(task.task_id);
    }
    Ok(ids)
}

async fn submit_with(session: &mut Session, args: &SubmitArgs, body: Body) -> Result<u8, CliError> {
    let many = body.many;
    let stays = args.wait.is_some() || session.is_embedded();
    let mut interrupt = stays.then(Interrupt::arm).transpose()?;
    let accepted = send(session, body, args.ack).await?;
    let mut progress = Progress::stderr();
    notices(&accepted, &mut progress);
    let mut output = Output::stdout(args.output.output);
    if args.wait.is_none() {
        print_accepted(&mut output, &accepted, many)?;
    } else if let [one] = &accepted[..] {
        progress.notice(&format!("task {}", one.task_id));
    }
    let Some(interrupt) = &mut interrupt else {
        return Ok(no_fit_code(&accepted));
    };
    match args.wait {
        Some(timeout) => wait_for(session, &accepted, timeout, interrupt, &mut output, &mut progress).await,
        None => stay(session, &accepted, interrupt, &mut progress).await,
    }
}

/// Sends the request; everything in it is accepted, or nothing.
pub(super) async fn send(session: &mut Session, body: Body, ack: Option<u16>) -> Result<Vec<AcceptedView>, CliError> {
    let path = match ack {
        Some(disks) => format!("/v1/tasks?disks={disks}"),
        None => "/v1/tasks".to_owned(),
    };
    let answer = session.client.request(Method::POST, &path, Some(body.bytes)).await?;
    Ok(if body.many { answer.json()? } else { vec![answer.json()?] })
}

fn print_accepted<W: std::io::Write>(
    output: &mut Output<W>,
    accepted: &[AcceptedView],
    many: bool,
) -> Result<(), CliError> {
    match (output.format(), accepted) {
        (Format::Table | Format::Id, _) => {
            let ids: String = accepted.iter().map(|view| format!("{}\n", view.task_id)).collect();
            output.text(&ids)
        }
        (Format::Json, [one]) if !many => output.json(one),
        _ => output.list(accepted),
    }
}

fn notices(accepted: &[AcceptedView], progress: &mut Progress) {
    let Some(first) = accepted.first() else {
        return;
    };
    progress.notice(&stored(&first.ack_devices, first.devices_up));
    for view in accepted.iter().filter(|view| no_fit(view)).take(3) {
        say_no_fit(&view.task_id, view.detail.as_deref(), progress);
    }
}

/// On whose disks it is. `up` is how many devices are up, if it is known.
pub(super) fn stored(disks: &[String], up: Option<usize>) -> String {
    match (disks, up.map_or(0, |up| up.saturating_sub(1))) {
        ([] | [_], 0) => "this device is alone: stored on 1 device".to_owned(),
        ([] | [_], others) => {
            let others = if others == 1 { "another is".to_owned() } else { format!("{others} others are") };
            format!("stored on 1 device so far: {} ({others} up, and none has confirmed it yet)", disks.concat())
        }
        _ => format!("stored on {} devices: {}", disks.len(), disks.join(", ")),
    }
}

/// Says that a task is accepted and cannot run yet.
pub(super) fn say_no_fit(task: &str, why: Option<&str>, progress: &mut Progress) {
    let why = why.unwrap_or("no device meets its requirements");
    progress.notice(&format!("no device fits now: {why}\nit runs when one does; see: rc-node explain {task}"));
}

fn no_fit(view: &AcceptedView) -> bool {
    view.reason.as_deref() == Some(NO_FIT)
}

fn no_fit_code(accepted: &[AcceptedView]) -> u8 {
    if accepted.iter().any(no_fit) { Exit::NoFit.code() } else { Exit::Ok.code() }
}

async fn wait_for<W: std::io::Write>(
    session: &mut Session,
    accepted: &[AcceptedView],
    timeout: Option<Duration>,
    interrupt: &mut Interrupt,
    output: &mut Output<W>,
    progress: &mut Progress,
) -> Result<u8, CliError> {
    let [one] = accepted else {
        let ids: Vec<_> = accepted.iter().map(|view| view.task_id.clone()).collect();
        return wait::many(session, &ids, timeout, interrupt, output, progress).await;
    };
    let id = &one.task_id;
    let limits = Limits {
        timeout,
        // Whoever says how long to wait waits so long for a device, too.
        no_fit_after: timeout.is_none().then_some(NO_FIT_AFTER),
    };
    match watch::one(&mut session.client, id, limits, interrupt, progress).await? {
        Ended::Settled(view) => result::print(output, &view),
        Ended::TimedOut(standing) => Err(CliError::new(
            Exit::WaitTimedOut,
            format!("task {id} has not ended in time"),
            standing,
            format!("the task goes on; rc-node wait {id}"),
        )),
        Ended::NoFit(why) => Err(CliError::new(
            Exit::NoFit,
            format!("task {id} is accepted, but no device fits now"),
            why,
            format!("it runs when one does; rc-node explain {id}"),
        )),
        Ended::Interrupted => {
            progress.notice(&format!("the task goes on; rc-node wait {id}"));
            Ok(Exit::Interrupted.code())
        }
    }
}

/// No daemon will go on with the tasks, so this process does.
async fn stay(
    session: &mut Session,
    accepted: &[AcceptedView],
    interrupt: &mut Interrupt,
    progress: &mut Progress,
) -> Result<u8, CliError> {
    progress.notice("no node runs on this device, so this one works until the task is done");
    for view in accepted {
        let limits = Limits { timeout: None, no_fit_after: Some(NO_FIT_AFTER) };
        let ended = watch::one(&mut session.client, &view.task_id, limits, interrupt, progress).await?;
        match ended {
            Ended::Settled(_) => {}
            Ended::NoFit(_) | Ended::TimedOut(_) | Ended::Interrupted => {
                progress.notice("not done; it is on this device's disk and goes on when `rc-node` runs here");
                let interrupted = matches!(ended, Ended::Interrupted);
                let exit = if interrupted { Exit::Interrupted } else { Exit::NoFit };
                return Ok(exit.code());
            }
        }
    }
    Ok(Exit::Ok.code())
}

#[cfg(test)]
mod tests {
    use super::stored;

    #[test]
    fn who_is_not_alone_is_not_said_to_be() {
        let names = ["attic".to_owned(), "nas".to_owned()];
        assert_eq!(stored(&names[..1], Some(1)), "this device is alone: stored on 1 device");
        assert!(stored(&names[..1], Some(3)).starts_with("stored on 1 device so far: attic (2 others are up"));
        assert!(stored(&names[..1], Some(2)).contains("another is up"));
        assert_eq!(stored(&names, None), "stored on 2 devices: attic, nas");
    }
}
