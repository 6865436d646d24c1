//! `events`: what happens, a line each.

use crate::api::model::EventView;
use crate::cli::args::EventsArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Cell, Format, Output, Paint, Row, Style};
use crate::cli::progress::Progress;
use crate::cli::session::{Place, Session};
use crate::client::{ClientError, path_part};
use std::time::Duration;

/// Between two attempts to get back to a node that went away.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn events(place: &Place, args: EventsArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let mut output = Output::stdout(args.output.output);
    let (mut last, mut away) = (None, false);
    loop {
        let mut broken = None;
        let path = path(&args, last.as_deref());
        let told = session.client.get_lines(&path, |line| {
            away = false;
            if let Some(id) = line.strip_prefix(b"id: ") {
                last = Some(String::from_utf8_lossy(id).into_owned());
            }
            let Some(json) = line.strip_prefix(b"data: ") else { return true };
            let printed = match serde_json::from_slice::<EventView>(json) {
                Ok(view) => print(&mut output, &view),
                Err(error) => Err(CliError::new(Exit::Failed, "the node cannot be understood", error.to_string(), "")),
            };
            broken = printed.err();
            broken.is_none()
        });
        let told = told.await;
        if let Some(error) = broken {
            return Err(error);
        }
        match told {
            Err(error @ (ClientError::Problem(_) | ClientError::Nonsense(_))) => return Err(error.into()),
            told if !args.follow => {
                told?;
                return Ok(Exit::Ok.code());
            }
            _ => {}
        }
        if !std::mem::replace(&mut away, true) {
            Progress::stderr().notice("the node went away; waiting for it to come back");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn path(args: &EventsArgs, last: Option<&str>) -> String {
    let mut path = format!("/v1/events?follow={}", args.follow);
    let kinds = (!args.kinds.is_empty()).then(|| args.kinds.join(","));
    let given = [
        ("task", args.task.as_deref()),
        ("type", args.task_type.as_deref()),
        ("device", args.device.as_deref()),
        ("kind", kinds.as_deref()),
        ("last_event_id", last),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", path_part(value)));
        }
    }
    path
}

fn print<W: std::io::Write>(output: &mut Output<W>, view: &EventView) -> Result<(), CliError> {
    match output.format() {
        Format::Id if view.task_id.is_none() => Ok(()),
        _ => output.lines(&[view]),
    }
}

impl Row for EventView {
    const HEAD: (&'static [&'static str], &'static [&'static str]) =
        (&["AT", "EVENT", "TASK", "TYPE", "DEVICE", "NOTE"], &[]);
    fn id(&self) -> String {
        self.task_id.clone().unwrap_or_default()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        let paint = match self.event.as_str() {
            "on_complete" | "peer.up" => Paint::Good,
            "on_start" | "on_progress" => Paint::Busy,
            "on_error" | "alert" | "peer.lost" | "gap" => Paint::Bad,
            _ => Paint::Plain,
        };
        // The day is known to whoever looks.
        let time = self.at.as_deref().and_then(|at| at.split_once('T')).map(|(_, time)| time);
        vec![
            Cell::some(time),
            Cell { text: format!("{:<12}", self.event), paint },
            Cell::some(self.task_id.as_ref()),
            Cell::some(self.task_type.as_ref()),
            Cell::some(self.device.as_ref().map(|device| format!("on {device}"))),
            Cell::new(note(self)),
        ]
    }
}

/// What is worth saying beside that.
fn note(view: &EventView) -> String {
    let attempt = view.attempt.filter(|attempt| *attempt > 1).map(|attempt| format!("attempt {attempt}"));
    let run = view.run_seconds.filter(|seconds| *seconds > 0.0).map(|seconds| format!("ran {seconds} s"));
    let progress = view.progress.map(|progress| format!("{progress} %"));
    let status = view.status.clone().filter(|_| view.event == "on_error");
    let error = view.error.as_ref().map(|error| format!("{}: {}", error.class, error.message));
    let text = Some(view.text.clone()).filter(|text| !text.is_empty());
    let said = [attempt, status, progress, error, text, run];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
