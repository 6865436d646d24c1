//! `wait`: for one task or many.

use super::result;
use crate::cli::args::WaitArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format, Output};
use crate::cli::progress::Progress;
use crate::cli::session::{Place, Session};
use crate::cli::watch::{self, Ended, Interrupt, Limits, ManyEnded};

pub(super) async fn wait(place: &Place, args: WaitArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let mut output = Output::stdout(args.output.output);
    let mut progress = Progress::stderr();
    let mut interrupt = Interrupt::arm()?;
    if let [id] = &args.ids[..] {
        let limits = Limits { timeout: args.timeout, no_fit_after: None };
        let ended = watch::one(&mut session.client, id, limits, &mut interrupt, &mut progress).await?;
        return match ended {
            Ended::Settled(view) => result::print(&mut output, &view),
            Ended::TimedOut(standing) | Ended::NoFit(standing) => Err(timed_out(id, &standing)),
            Ended::Interrupted => Ok(Exit::Interrupted.code()),
        };
    }
    many(&mut session, &args.ids, args.timeout, &mut interrupt, &mut output, &mut progress).await
}

fn timed_out(id: &str, standing: &str) -> CliError {
    CliError::new(
        Exit::WaitTimedOut,
        format!("task {id} has not ended in time"),
        standing,
        format!("the task goes on; rc-node explain {id}"),
    )
}

/// Waits for several tasks and prints each result; lines as they come, everything else at the end.
pub(super) async fn many<W: std::io::Write>(
    session: &mut Session,
    ids: &[String],
    timeout: Option<std::time::Duration>,
    interrupt: &mut Interrupt,
    output: &mut Output<W>,
    progress: &mut Progress,
) -> Result<u8, CliError> {
    let streams = matches!(output.format(), Format::Jsonl | Format::Id);
    let mut views = Vec::new();
    let mut broken = None;
    let (mut good, mut bad) = (0usize, 0usize);
    let ended = watch::many(&mut session.client, ids, timeout, interrupt, progress, |told| match told {
        Ok(view) => {
            if view.status == "completed" {
                good += 1;
            } else {
                bad += 1;
            }
            if streams {
                let line = output.list(std::slice::from_ref(&view));
                broken = broken.take().or(line.err());
            } else {
                views.push(view);
            }
        }
        Err(untold) => {
            bad += 1;
            let mut error = CliError::from(untold.problem);
            error.what = format!("task {}: {}", untold.task_id, error.what);
            error.print();
        }
    })
    .await?;
    if let Some(error) = broken {
        return Err(error);
    }
    if !streams {
        output.list(&views)?;
    }
    let exit = match (ended, good, bad) {
        (ManyEnded::Interrupted, ..) => Exit::Interrupted,
        (ManyEnded::TimedOut, ..) => {
            let told = format!("{} of {} tasks ended", good + bad, ids.len());
            timed_out("list", &told).print();
            Exit::WaitTimedOut
        }
        (ManyEnded::All, _, 0) => Exit::Ok,
        (ManyEnded::All, 0, _) => Exit::Failed,
        (ManyEnded::All, ..) => Exit::SomeFailed,
    };
    Ok(exit.code())
}
