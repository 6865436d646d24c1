//! `exec`: a command on the best device, as if it ran here: its output, its exit code.

use super::result::{failure, left_by_command, print_streams};
use super::submit::send;
use crate::api::model::{AcceptedView, ResultView};
use crate::cli::args::ExecArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::files::{Files, Left};
use crate::cli::logs::{self, Seen};
use crate::cli::output::{Format, Output};
use crate::cli::progress::Progress;
use crate::cli::request::{self, Body, Object};
use crate::cli::session::{Place, Session};
use crate::cli::watch::{self, Ended, Interrupt, Limits, NO_FIT_AFTER};
use crate::client::{Client, path_part};
use hyper::Method;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// What is tried again unless the flags say otherwise. Not a timeout: whoever waits for a command wants its first one.
const RETRY_ON: [&str; 4] = ["network_error", "resource_exhausted", "device_lost", "preempted"];

/// For what the command wrote last, after its end is known.
const LAST_WORDS: Duration = Duration::from_secs(10);

pub(super) async fn exec(place: &Place, args: ExecArgs) -> Result<u8, CliError> {
    let ours = |error: CliError| match error.exit {
        // The command line is at fault, and a missing daemon is told apart from a missing device by nobody.
        Exit::Usage => error,
        _ => error.with_exit(Exit::ExecOurs),
    };
    let mut files = Files::open(&args.files, args.input)?;
    // Whatever is wrong with the request is found before anything is started.
    body(&args, &files)?;
    let mut session = Session::daemon_or_embedded(place, true).await.map_err(ours)?;
    session.client.set_trace(request::trace_of(&args.task));
    let done = async {
        files.upload(place).await?;
        run(place, &mut session, body(&args, &files)?, &args.files.outs).await
    };
    let done = done.await.map_err(ours);
    session.close();
    done
}

fn body(args: &ExecArgs, files: &Files) -> Result<Body, CliError> {
    let mut payload = Object::default();
    payload.set("argv", &args.argv)?;
    if let Some(cwd) = &args.cwd {
        payload.set("cwd", cwd)?;
    }
    files.apply(&mut payload)?;
    let mut task = Object::default();
    task.set("task_type", "command")?;
    task.set("payload", &payload)?;
    task.set("retry", json!({ "retry_on": RETRY_ON }))?;
    task.apply(&args.task)?;
    request::of_object(&task)
}

async fn run(place: &Place, session: &mut Session, body: Body, outs: &[String]) -> Result<u8, CliError> {
    let mut interrupt = Interrupt::arm()?;
    let accepted = send(session, body, None).await?;
    let Some(AcceptedView { task_id: id, .. }) = accepted.first() else {
        return Ok(Exit::ExecOurs.code());
    };
    let limits = Limits { timeout: None, no_fit_after: Some(NO_FIT_AFTER) };
    let mut progress = Progress::terminal_only();
    let mut client = session.client.another();
    let (ended, seen) = attend(session, &mut client, id, limits, &mut interrupt, &mut progress).await?;
    let Some(ended) = ended else {
        // As a program that writes to nobody ends here.
        cancel(session, id).await;
        return Ok(Exit::BrokenPipe.code());
    };
    match ended {
        Ended::Settled(view) => {
            let code = finish(&view, seen.as_ref())?;
            if !outs.is_empty() {
                let left = Left::of(view.result.as_deref());
                if left.save(place, Path::new("."), Some(outs)).await? == 0 {
                    progress.notice(&format!("rc-node: the command left no file that matches {}", outs.join(" ")));
                }
            }
            Ok(code)
        }
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

/// Waits for the end and prints what the command writes meanwhile. No end: nobody reads that. Nothing seen: it could not be followed.
async fn attend(
    session: &mut Session,
    client: &mut Client,
    id: &str,
    limits: Limits,
    interrupt: &mut Interrupt,
    progress: &mut Progress,
) -> Result<(Option<Ended>, Option<Seen>), CliError> {
    let mut seen = Seen::for_command();
    let (ended, told) = {
        let logged = logs::print(client, id, true, false, &mut seen, progress.share());
        let watched = watch::one(&mut session.client, id, limits, interrupt, progress);
        tokio::pin!(logged, watched);
        let first = tokio::select! {
            ended = &mut watched => Ok(ended?),
            told = &mut logged => Err(told.is_ok()),
        };
        match first {
            Ok(ended @ Ended::Settled(_)) => {
                let told = tokio::time::timeout(LAST_WORDS, logged).await;
                (Some(ended), matches!(told, Ok(Ok(()))))
            }
            Ok(ended) => (Some(ended), true),
            // Its end was told before it could be reported, or nobody reads any more.
            Err(true) => (None, true),
            Err(false) => (Some(watched.await?), false),
        }
    };
    let ended = match ended {
        None if !seen.closed => Some(watch::one(&mut session.client, id, limits, interrupt, progress).await?),
        ended => ended,
    };
    Ok((ended, told.then_some(seen)))
}

/// Nobody waits for it any more.
async fn cancel(session: &Session, id: &str) {
    let path = format!("/v1/tasks/{}", path_part(id));
    let mut client = session.client.another();
    if let Err(error) = client.request(Method::DELETE, &path, None).await {
        CliError::from(error).print();
    }
}

fn finish(view: &ResultView, seen: Option<&Seen>) -> Result<u8, CliError> {
    let mut output = Output::stdout(Format::Table);
    let left = left_by_command(view);
    match (&left, seen) {
        (Some(left), None) => print_streams(&mut output, left)?,
        (_, Some(seen)) if seen.truncated => Progress::stderr().notice(logs::TRUNCATED),
        _ => {}
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
