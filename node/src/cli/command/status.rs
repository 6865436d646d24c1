//! `status`: how the node on this device is doing.

use crate::api::model::ClusterView;
use crate::cli::args::StatusArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::session::{Place, Session};

pub(super) async fn status(place: &Place, args: StatusArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let status: ClusterView = session.client.get("/v1/cluster").await?;
    Output::stdout(args.output.output).one(&status)?;
    Ok(Exit::Ok.code())
}
