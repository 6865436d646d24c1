//! `plan`: where a task would go, without submitting it.

use super::explain;
use crate::api::model::ExplainView;
use crate::cli::args::SubmitArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::files::Files;
use crate::cli::output::{Format, Output};
use crate::cli::request;
use crate::cli::session::{Place, Session};
use hyper::Method;

pub(super) async fn plan(place: &Place, args: SubmitArgs) -> Result<u8, CliError> {
    let files = Files::open(&args.files, false)?;
    let body = request::of_submit(&args, &files)?;
    let mut session = Session::daemon_or_embedded(place, body.needs_command).await?;
    let done = async {
        let many = body.many;
        let answer = session.client.request(Method::POST, "/v1/plan", Some(body.bytes)).await?;
        let views: Vec<ExplainView> = if many { answer.json()? } else { vec![answer.json()?] };
        let mut output = Output::stdout(args.output.output);
        match (output.format(), &views[..]) {
            (Format::Json, [one]) if !many => output.json(one)?,
            (Format::Json, _) => output.json(&views)?,
            (Format::Jsonl, _) => views.iter().try_for_each(|view| output.json(view))?,
            (Format::Id, _) => {
                let chosen: String =
                    views.iter().flat_map(|view| &view.chosen).map(|name| format!("{name}\n")).collect();
                output.text(&chosen)?;
            }
            (Format::Table | Format::Wide, _) => {
                for (place, view) in views.iter().enumerate() {
                    output.text(if place == 0 { "" } else { "\n" })?;
                    explain::print(&mut output, view)?;
                }
            }
        }
        let fit = views.iter().all(|view| view.chosen.is_some());
        Ok(if fit { Exit::Ok.code() } else { Exit::NoFit.code() })
    };
    let done = done.await;
    session.close();
    done
}
