//! `show`: a task and its attempts.

use crate::api::model::TaskDetail;
use crate::cli::args::IdArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format, Output};
use crate::cli::session::{Place, Session};
use crate::client::path_part;

pub(super) async fn show(place: &Place, args: IdArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let path = format!("/v1/tasks/{}", path_part(&args.id));
    let task: TaskDetail = session.client.get(&path).await?;
    let mut output = Output::stdout(args.output.output);
    output.one(&task)?;
    let people = matches!(output.format(), Format::Table | Format::Wide);
    if people && !task.attempts.is_empty() {
        output.text("\n")?;
        output.list(&task.attempts)?;
    }
    Ok(Exit::Ok.code())
}
