//! `peers`: the cluster's devices.

use crate::api::model::PeerView;
use crate::cli::args::PeersArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::session::{Place, Session};

pub(super) async fn peers(place: &Place, args: PeersArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let peers: Vec<PeerView> = session.client.get("/v1/peers").await?;
    Output::stdout(args.output.output).list(&peers)?;
    Ok(Exit::Ok.code())
}
