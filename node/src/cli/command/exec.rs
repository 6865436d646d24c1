//! `exec`: a command on the best device, as if it ran here: its output, its exit code.

use super::result::{failure, left_by_command, print_streams};
use super::submit::send;
use crate::api::model::{AcceptedView, ResultView};
use crate::cli::args::ExecArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format, Output};
use crate::cli::progress::Progress;
use crate::cli::request::{self, Body, Object};
use crate::cli::session::{Place, Session};
use crate::cli::watch::{self, Ended, Interrupt, Limits, NO_FIT_AFTER};
use crate::client::path_part;
use hyper::Method;
use serde_json::json;

/// What is tried again unless the flags say otherwise. Not a timeout: whoever waits for a command wants its first one.
const RETRY_ON: [&str; 4] = ["network_error", "resource_exhausted", "device_lost", "preempted"];

pub(super) async fn exec(place: &Place, args: ExecArgs) -> Result<u8, CliError> {
    let ours = |error: CliError| match error.exit {
        // The command line is at fault, and a missing daemon is told apart from a missing device by nobody.
        Exit::Usage => error,
        _ => error.with_exit(Exit::ExecOurs),
    };
    let body = body(&args)?;
    let mut session = Session::daemon_or_embedded(place, true).await.map_err(ours)?;
    let done = run(&mut session, body).await.map_err(ours);
    session.close();
    done
}

fn body(args: &ExecArgs) -> Result<Body, CliError> {
    let mut payload = Object::default();
    payload.set("argv", &args.argv)?;
    if let Some(cwd) = &args.cwd {
        payload.set("cwd", cwd)?;
    }
    if !args.env.is_empty() {
        payload.set("env", request::texts("--env", &args.env)?)?;
    }
    if args.stdin {
        payload.set("stdin", request::read_stdin()?)?;
    }
    let mut task = Object::default();
    task.set("task_type", "command")?;
    task.set("payload", &payload)?;
    task.set("retry", json!({ "retry_on": RETRY_ON }))?;
    task.apply(&args.task)?;
    request::of_object(&task)
}

async fn run(session: &mut Session, body: Body) -> Result<u8, CliError> {
    let mut interrupt = Interrupt::arm()?;
    let accepted = send(session, body, None).await?;
    let Some(AcceptedView { task_id: id, .. }) = accepted.first() else {
        return Ok(Exit::ExecOurs.code());
    };
    let limits = Limits { timeout: None, no_fit_after: Some(NO_FIT_AFTER) };
    let mut progress = Progress::terminal_only();
    match watch::one(&mut session.client, id, limits, &mut interrupt, &mut progress).await? {
        Ended::Settled(view) => finish(&view),
        Ended::NoFit(why) | Ended::TimedOut(why) => {
            cancel(session, id).await;
            Err(CliError::new(
                Exit::ExecOurs,
                "no device runs this command",
                why,
                "its owner allows commands with `rc-node --allow command`",
            ))
        }
        Ended::Interrupted => {
            progress.clear();
            cancel(session, id).await;
            Ok(Exit::Interrupted.code())
        }
    }
}

/// Nobody waits for it any more.
async fn cancel(session: &Session, id: &str) {
    let path = format!("/v1/tasks/{}", path_part(id));
    let mut client = session.client.another();
    if let Err(error) = client.request(Method::DELETE, &path, None).await {
        CliError::from(error).print();
    }
}

fn finish(view: &ResultView) -> Result<u8, CliError> {
    let mut output = Output::stdout(Format::Table);
    let left = left_by_command(view);
    if let Some(left) = &left {
        print_streams(&mut output, left)?;
    }
    let timed_out = view.status == "timeout" || view.error.as_ref().is_some_and(|error| error.class == "timeout_error");
    if timed_out {
        failure(view).print();
        return Ok(Exit::ExecTimeout.code());
    }
    let code = left.and_then(|left| left.return_code);
    let own_end = view.status == "completed" || view.error.as_ref().is_some_and(|error| error.class == "task_error");
    match code {
        Some(code) if own_end => Ok(exit_code(code)),
        _ => Err(failure(view)),
    }
}

/// A signal's number, if it is negative, as shells show it.
fn exit_code(code: i64) -> u8 {
    let code = if code < 0 { 128 - code } else { code };
    u8::try_from(code).unwrap_or(Exit::Failed.code())
}
