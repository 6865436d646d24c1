//! `ps`: the cluster's tasks.

use crate::api::model::TaskView;
use crate::cli::args::PsArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::screen::{self, Shown, Watched};
use crate::cli::session::{Place, Session};
use crate::client::{Client, ClientError, path_part};
use hyper::Method;
use std::time::Duration;

/// For tasks that this device does not keep, whose events it does not hear of.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(super) async fn ps(place: &Place, args: PsArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let mut path = format!("/v1/tasks?limit={}", args.limit);
    if let Some(status) = &args.status {
        path.push_str(&format!("&status={}", path_part(status)));
    }
    if args.watch {
        let watched = Watched { events: "/v1/events", every: LOOK_EVERY, changes: &changes };
        screen::watch(&mut session.client, args.output.output, watched, async |client| list(client, &path).await)
            .await?;
        return Ok(Exit::Ok.code());
    }
    let (tasks, note) = list(&mut session.client, &path).await?;
    Output::stdout(args.output.output).list(&tasks)?;
    if let Some(note) = note {
        Progress::stderr().notice(&note);
    }
    Ok(Exit::Ok.code())
}

async fn list(client: &mut Client, path: &str) -> Result<Shown<TaskView>, ClientError> {
    let answer = client.request(Method::GET, path, None).await?;
    let silent = answer.headers.get("rc-silent").and_then(|ids| ids.to_str().ok());
    let note = silent.map(|silent| format!("some tasks may be missing: no answer from {silent}"));
    Ok((answer.json()?, note))
}

fn changes(task: &TaskView) -> String {
    let TaskView { status, reason, detail, device, attempt, progress, progress_text, error, .. } = task;
    let error = error.as_ref().map(|error| &error.message);
    format!("{status} {reason:?} {detail:?} {device:?} {attempt:?} {progress:?} {progress_text:?} {error:?}")
}
