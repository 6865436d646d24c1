//! `retry`: lets tasks that ended without a result begin again, under the same id.

use crate::api::model::CancelledView;
use crate::cli::args::CancelArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::session::{Place, Session};
use crate::client::path_part;
use hyper::Method;

pub(super) async fn retry(place: &Place, args: CancelArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for id in &args.ids {
        let path = format!("/v1/tasks/{}/retry", path_part(id));
        let answer = session.client.request(Method::POST, &path, None).await;
        match answer.and_then(|answer| answer.json::<CancelledView>()) {
            Ok(view) => done.push(view),
            Err(error) => failed.push(CliError::from(error)),
        }
    }
    let mut output = Output::stdout(args.output.output);
    match (&done[..], failed.pop()) {
        ([one], None) => output.one(one)?,
        ([], Some(error)) if failed.is_empty() => return Err(error),
        (_, last) => {
            output.list(&done)?;
            failed.iter().chain(&last).for_each(CliError::print);
            return Ok(match (done.is_empty(), last) {
                (_, None) => Exit::Ok.code(),
                (true, Some(error)) => error.exit.code(),
                (false, Some(_)) => Exit::SomeFailed.code(),
            });
        }
    }
    Ok(Exit::Ok.code())
}
