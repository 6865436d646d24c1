//! `logs`: what a task wrote, and writes.

use crate::cli::args::LogsArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::logs::{self, Seen};
use crate::cli::output::Format;
use crate::cli::progress::Progress;
use crate::cli::session::{Place, Session};

pub(super) async fn logs(place: &Place, args: LogsArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let raw = matches!(args.task.output.output, Format::Json | Format::Jsonl);
    let mut seen = Seen::default();
    let mut progress = Progress::terminal_only();
    logs::print(&mut session.client, &args.task.id, args.follow, raw, &mut seen, progress.share()).await?;
    if seen.truncated && !raw {
        progress.notice(logs::TRUNCATED);
    }
    if !args.follow || seen.closed {
        return Ok(Exit::Ok.code());
    }
    match seen.status.as_deref() {
        Some("completed") => Ok(Exit::Ok.code()),
        Some(status) => {
            if !raw {
                progress.notice(&format!("rc-node: the task ended as {status}; rc-node show {}", args.task.id));
            }
            Ok(Exit::Failed.code())
        }
        None => Err(CliError::new(
            Exit::NoDaemon,
            "the log broke off",
            "the node went away, or cannot tell how the task goes on",
            format!("rc-node logs -f {}", args.task.id),
        )),
    }
}
