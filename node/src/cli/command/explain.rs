//! `explain`: why a task is where it is.

use crate::api::model::ExplainView;
use crate::cli::args::IdArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format, Output};
use crate::cli::session::{Place, Session};
use crate::client::path_part;

pub(super) async fn explain(place: &Place, args: IdArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let path = format!("/v1/tasks/{}/explain", path_part(&args.id));
    let view: ExplainView = session.client.get(&path).await?;
    let mut output = Output::stdout(args.output.output);
    match output.format() {
        Format::Json | Format::Jsonl => output.json(&view)?,
        Format::Id => output.list(&view.rows)?,
        Format::Table | Format::Wide => {
            let task = &view.task;
            let kind = task.task_type.as_deref().unwrap_or("task");
            let mut head = format!("{} ({kind}) is {}", task.task_id, task.status);
            if let Some(device) = &task.device {
                head.push_str(&format!(" on {device}"));
            }
            if let Some(why) = task.detail.as_ref().or(task.reason.as_ref()) {
                head.push_str(&format!(": {why}"));
            }
            output.text(&format!("{head}\n\n"))?;
            output.list(&view.rows)?;
            if output.format() == Format::Wide {
                output.text(&format!("\nview {}\n", view.view_hash))?;
            }
        }
    }
    Ok(Exit::Ok.code())
}
