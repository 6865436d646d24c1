//! `metrics`: this device's figures, as Prometheus reads them.

use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format, Output};
use crate::cli::session::{Place, Session};
use hyper::Method;

pub(super) async fn metrics(place: &Place) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let answer = session.client.request(Method::GET, "/metrics", None).await?;
    Output::stdout(Format::Table).text(&String::from_utf8_lossy(&answer.body))?;
    Ok(Exit::Ok.code())
}
