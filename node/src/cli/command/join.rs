//! `join`: makes this device a member of another cluster, before its node starts.

use crate::cli::args::JoinArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::progress::Progress;
use crate::cli::session::Place;
use crate::identity::{self, JoinError};
use rc_p2p::Ticket;
use std::path::Path;

pub(super) fn join(place: &Place, args: &JoinArgs) -> Result<u8, CliError> {
    store(&place.data_dir, &args.ticket)?;
    Progress::stderr().notice("joined; now start the node with `rc-node`");
    Ok(Exit::Ok.code())
}

/// Checks the ticket and keeps it.
pub(super) fn store(data_dir: &Path, ticket: &str) -> Result<(), CliError> {
    let ticket: Ticket = ticket.trim().parse().map_err(|error: rc_p2p::TicketError| {
        let hint = "copy the whole line that `rc-node invite` prints on the other device";
        CliError::new(Exit::Usage, "the ticket is not valid", error.to_string(), hint)
    })?;
    identity::join(data_dir, &ticket).map_err(|error| match error {
        JoinError::InUse { .. } => CliError::new(
            Exit::Failed,
            "a node runs here",
            format!("a running node does not change its cluster: {error}"),
            "stop it (Ctrl-C, or `systemctl stop rc-node`), join, and start it again",
        ),
        JoinError::AlreadyMember { .. } => CliError::new(
            Exit::Failed,
            "this device is a member of another cluster",
            error.to_string(),
            "join with another --data-dir, or remove this one with all that it keeps",
        ),
        error => {
            let hint = "check the directory, or name another with --data-dir";
            CliError::new(Exit::Failed, "the membership cannot be kept", error.to_string(), hint)
        }
    })
}
