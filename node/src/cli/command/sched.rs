//! `sched simulate`: what would happen if.

use crate::api::model::{ForecastView, SimulateRequest, SimulateView, TaskForecastView};
use crate::cli::args::{SchedArgs, SchedVerb, SimulateArgs};
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Cell, Format, Output, Paint, Row, Style};
use crate::cli::request;
use crate::cli::session::{Place, Session};
use crate::config::units::show_duration;
use hyper::Method;
use std::time::Duration;

pub(super) async fn sched(place: &Place, args: SchedArgs) -> Result<u8, CliError> {
    let SchedVerb::Simulate(args) = args.verb;
    simulate(place, args).await
}

async fn simulate(place: &Place, args: SimulateArgs) -> Result<u8, CliError> {
    let add = args.add.iter().map(|text| request::extra(text)).collect::<Result<_, _>>()?;
    let asked =
        SimulateRequest { without: args.without.clone(), add, replay: args.replay.map(|replay| replay.as_secs_f64()) };
    let body = serde_json::to_vec(&asked).map_err(|error| CliError::usage(error.to_string(), ""))?;
    let mut session = Session::daemon(place).await?;
    let answer = session.client.request(Method::POST, "/v1/simulate", Some(body)).await?;
    let view: SimulateView = answer.json()?;
    let mut output = Output::stdout(args.output.output);
    let shown = view.changed.as_ref().unwrap_or(&view.as_it_is);
    match output.format() {
        Format::Json | Format::Jsonl => output.json(&view)?,
        Format::Id => output.list(&rows(&view))?,
        Format::Table | Format::Wide => {
            output.text(&summary(&view, &asked))?;
            output.list(&rows(&view))?;
        }
    }
    let fit = shown.fit == shown.tasks.len();
    Ok(if fit { Exit::Ok.code() } else { Exit::NoFit.code() })
}

fn summary(view: &SimulateView, asked: &SimulateRequest) -> String {
    let mut lines = Vec::new();
    let says = |run: &ForecastView| {
        let all = run.tasks.len();
        let left = all - run.fit;
        let misfit = if left == 0 { String::new() } else { format!(", {left} would not run") };
        format!("done in {}, a task waits {} on average{misfit}", span(run.makespan), span(run.wait_mean))
    };
    let what = if asked.replay.is_some() { "once more" } else { "as it is" };
    if let Some(recorded) = view.recorded_makespan {
        lines.push(("when it happened".to_owned(), format!("done in {}", span(recorded))));
    }
    let tasks = view.as_it_is.tasks.len();
    let plural = if tasks == 1 { "" } else { "s" };
    lines.push((format!("{tasks} task{plural} {what}"), says(&view.as_it_is)));
    if let Some(changed) = &view.changed {
        let mut changes: Vec<_> = asked.without.iter().map(|name| format!("without {name}")).collect();
        changes.extend((!asked.add.is_empty()).then(|| format!("{} more", asked.add.len())));
        lines.push((changes.join(", "), says(changed)));
    }
    let width = lines.iter().map(|(what, _)| what.chars().count()).max().unwrap_or(0);
    let mut text: String = lines.iter().map(|(what, says)| format!("{what:width$}  {says}\n")).collect();
    if view.as_it_is.tasks.iter().any(|task| task.run_time_from.starts_with("no record")) {
        text.push_str("Some have no record of their like: they are counted with their timeout, which is the longest they can take.\n");
    }
    if view.more {
        text.push_str("There are more tasks; the newest were looked at.\n");
    }
    text.push('\n');
    text
}

/// A task in both courses of events.
#[derive(serde::Serialize)]
struct Both<'a> {
    now: &'a TaskForecastView,
    before: Option<&'a TaskForecastView>,
}

fn rows(view: &SimulateView) -> Vec<Both<'_>> {
    match &view.changed {
        Some(changed) => changed
            .tasks
            .iter()
            .zip(&view.as_it_is.tasks)
            .map(|(now, before)| Both { now, before: Some(before) })
            .collect(),
        None => view.as_it_is.tasks.iter().map(|now| Both { now, before: None }).collect(),
    }
}

impl Row for Both<'_> {
    const HEAD: (&'static [&'static str], &'static [&'static str]) =
        (&["ID", "TYPE", "DEVICE", "STARTS IN", "ENDS IN", "BEFORE", "RUN TIME FROM"], &[]);
    fn id(&self) -> String {
        self.now.task_id.clone()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        let task = self.now;
        let device = match (&task.device, &task.misfit) {
            (Some(device), _) => Cell::new(device),
            (None, why) => Cell { text: format!("none: {}", why.as_deref().unwrap_or("?")), paint: Paint::Bad },
        };
        let before = self.before.map(|before| match (&before.device, before.ends) {
            (Some(device), Some(ends)) => format!("{} on {device}", span(ends)),
            _ => "would not run".to_owned(),
        });
        vec![
            Cell::new(&task.task_id),
            Cell::new(&task.task_type),
            device,
            Cell::some(task.starts.map(span)),
            Cell::some(task.ends.map(span)),
            Cell::some(before),
            Cell::new(&task.run_time_from),
        ]
    }
}

/// To a tenth of a second where that matters.
fn span(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1}s");
    }
    show_duration(Duration::from_secs(seconds.round() as u64))
}
