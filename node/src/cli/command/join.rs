//! `join`: makes this device a member of another cluster, before its node starts.

use crate::cli::args::JoinArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::progress::Progress;
use crate::cli::session::{Place, Session};
use crate::config::membership::{self, Membership, MembershipError};
use std::path::Path;

pub(super) async fn join(place: &Place, args: JoinArgs) -> Result<u8, CliError> {
    if Session::daemon(place).await.is_ok() {
        return Err(CliError::new(
            Exit::Failed,
            "a node runs here",
            "a running node does not change its cluster",
            "stop it (Ctrl-C, or `systemctl stop rc-node`), join, and start it again",
        ));
    }
    store(&place.data_dir, &args.ticket, args.force)?;
    Progress::stderr().notice("joined; now start the node with `rc-node`");
    Ok(Exit::Ok.code())
}

/// Checks the ticket and keeps it.
pub(super) fn store(data_dir: &Path, ticket: &str, force: bool) -> Result<(), CliError> {
    let ticket = ticket.trim();
    let secret = secret_of(ticket).map_err(|why| {
        let hint = "copy the whole line that `rc-node invite` prints on the other device";
        CliError::new(Exit::Usage, "the ticket is not valid", why, hint)
    })?;
    let old = membership::load(data_dir).map_err(|error| broken(&error))?;
    if let Some(old) = &old
        && old.met
        && !force
        && secret_of(&old.ticket).ok() != Some(secret)
    {
        return Err(CliError::new(
            Exit::Failed,
            "this device is a member of another cluster",
            format!("{} says so", data_dir.join(membership::MEMBERSHIP_FILE).display()),
            "leave it with --force, or join with another --data-dir",
        ));
    }
    let new = Membership { ticket: ticket.to_owned(), met: true };
    membership::store(data_dir, &new).map_err(|error| broken(&error))
}

fn broken(error: &MembershipError) -> CliError {
    let hint = "check the directory, or name another with --data-dir";
    CliError::new(Exit::Failed, "the membership cannot be kept", error.to_string(), hint)
}

/// What makes the cluster that a ticket is from; two tickets of one cluster differ in their addresses only.
fn secret_of(ticket: &str) -> Result<rc_p2p::Secret, String> {
    let parsed: Result<rc_p2p::Ticket, _> = ticket.parse();
    parsed.map(|ticket| ticket.secret().clone()).map_err(|error| error.to_string())
}
