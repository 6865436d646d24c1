//! `result`: how a task ended; and how a result is printed, for every verb that has one.

use crate::api::model::ResultView;
use crate::cli::args::ResultArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::files::Left;
use crate::cli::output::{Format, Output, result_card};
use crate::cli::session::{Place, Session};
use crate::cli::watch::is_end;
use crate::client::path_part;
use serde::Deserialize;
use std::io::Write;

pub(super) async fn result(place: &Place, args: ResultArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let path = format!("/v1/tasks/{}/result", path_part(&args.task.id));
    let view: ResultView = session.client.get(&path).await?;
    let mut output = Output::stdout(args.task.output.output);
    let code = print(&mut output, &view)?;
    if let Some(dir) = &args.out {
        Left::of(view.result.as_deref()).save(place, dir, None).await?;
    }
    Ok(code)
}

/// What a command left, as far as it is known.
#[derive(Debug, Default, Deserialize)]
pub(super) struct LeftStreams {
    pub(super) return_code: Option<i64>,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stderr: String,
}

/// The output of a command; `None` for results of another kind.
pub(super) fn left_by_command(view: &ResultView) -> Option<LeftStreams> {
    let mut left: LeftStreams = match &view.result {
        Some(result) => serde_json::from_str(result.get()).ok()?,
        None => LeftStreams::default(),
    };
    if left.return_code.is_none() && view.task_type.as_deref() != Some("command") {
        return None;
    }
    if let Some(stdout) = view.stdout.as_ref().filter(|text| !text.is_empty()) {
        left.stdout.clone_from(stdout);
    }
    if let Some(stderr) = view.stderr.as_ref().filter(|text| !text.is_empty()) {
        left.stderr.clone_from(stderr);
    }
    Some(left)
}

/// A command's output, each stream where it belongs.
pub(super) fn print_streams<W: Write>(output: &mut Output<W>, left: &LeftStreams) -> Result<(), CliError> {
    output.text(&left.stdout)?;
    // Nobody is left to tell if stderr is closed.
    let _ = std::io::stderr().write_all(left.stderr.as_bytes());
    Ok(())
}

/// Prints a result in the chosen format; the exit code says how the task ended.
pub(super) fn print<W: Write>(output: &mut Output<W>, view: &ResultView) -> Result<u8, CliError> {
    let ended = is_end(&view.status);
    match output.format() {
        Format::Json | Format::Jsonl => output.json(view)?,
        Format::Id | Format::Wide => output.one(&result_card(view))?,
        Format::Table if !ended => {}
        Format::Table => match (left_by_command(view), &view.result) {
            (Some(left), _) => print_streams(output, &left)?,
            (None, Some(result)) => output.text(&format!("{}\n", result.get()))?,
            (None, None) => {}
        },
    }
    if !ended {
        not_ended(view).print();
        return Ok(Exit::WaitTimedOut.code());
    }
    if view.status != "completed" {
        failure(view).print();
        return Ok(Exit::Failed.code());
    }
    if view.truncated {
        let _ = std::io::stderr().write_all(b"the output was longer; only a part of it was kept\n");
    }
    Ok(Exit::Ok.code())
}

fn not_ended(view: &ResultView) -> CliError {
    let why = match view.detail.as_ref().or(view.reason.as_ref()) {
        Some(why) => format!("it is {}: {why}", view.status),
        None => format!("it is {}", view.status),
    };
    CliError::new(
        Exit::WaitTimedOut,
        format!("task {} has not ended", view.task_id),
        why,
        format!("rc-node wait {}", view.task_id),
    )
}

/// A task that ended without a result, in words.
pub(super) fn failure(view: &ResultView) -> CliError {
    let why = view.error.as_ref().map_or_else(String::new, |error| format!("{}: {}", error.class, error.message));
    let what = match view.status.as_str() {
        "timeout" => format!("task {} ran out of time", view.task_id),
        "cancelled" => format!("task {} was cancelled", view.task_id),
        status => format!("task {} {status}", view.task_id),
    };
    CliError::new(Exit::Failed, what, why, format!("rc-node show {}", view.task_id))
}
