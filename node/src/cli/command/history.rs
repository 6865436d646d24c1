//! `history`: everything that happened to a task.

use crate::api::model::HistoryView;
use crate::cli::args::IdArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::session::{Place, Session};
use crate::client::path_part;

pub(super) async fn history(place: &Place, args: IdArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let path = format!("/v1/tasks/{}/history", path_part(&args.id));
    let rows: Vec<HistoryView> = session.client.get(&path).await?;
    Output::stdout(args.output.output).list(&rows)?;
    Ok(Exit::Ok.code())
}
