//! `ps`: the cluster's tasks.

use crate::api::model::TaskView;
use crate::cli::args::PsArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::session::{Place, Session};
use crate::client::path_part;
use hyper::Method;

pub(super) async fn ps(place: &Place, args: PsArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let mut path = format!("/v1/tasks?limit={}", args.limit);
    if let Some(status) = &args.status {
        path.push_str(&format!("&status={}", path_part(status)));
    }
    let answer = session.client.request(Method::GET, &path, None).await?;
    let tasks: Vec<TaskView> = answer.json()?;
    Output::stdout(args.output.output).list(&tasks)?;
    if let Some(silent) = answer.headers.get("rc-silent").and_then(|ids| ids.to_str().ok()) {
        let text = format!("some tasks may be missing: no answer from {silent}");
        Progress::stderr().notice(&text);
    }
    Ok(Exit::Ok.code())
}
