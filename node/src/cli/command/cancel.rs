//! `cancel`: asks that tasks not run.

use crate::api::model::CancelledView;
use crate::cli::args::CancelArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::session::{Place, Session};
use crate::client::path_part;
use hyper::Method;

pub(super) async fn cancel(place: &Place, args: CancelArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let mut done = Vec::new();
    let mut failed = Vec::new();
    for id in &args.ids {
        let path = format!("/v1/tasks/{}", path_part(id));
        let answer = session.client.request(Method::DELETE, &path, None).await;
        match answer.and_then(|answer| answer.json::<CancelledView>()) {
            Ok(view) => done.push(view),
            Err(error) => failed.push(CliError::from(error)),
        }
    }
    let mut output = Output::stdout(args.output.output);
    if args.ids.len() == 1 {
        if let Some(error) = failed.pop() {
            return Err(error);
        }
        for view in &done {
            output.one(view)?;
        }
        return Ok(Exit::Ok.code());
    }
    output.list(&done)?;
    failed.iter().for_each(CliError::print);
    Ok(match (done.is_empty(), failed.first()) {
        (_, None) => Exit::Ok.code(),
        (true, Some(error)) => error.exit.code(),
        (false, Some(_)) => Exit::SomeFailed.code(),
    })
}
