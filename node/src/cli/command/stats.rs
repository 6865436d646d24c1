//! `stats`: what the tasks of a period came to.

use crate::api::model::{PercentilesView, StatsRowView, StatsView};
use crate::cli::args::StatsArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Cell, Format, Output, Row, Style};
use crate::cli::progress::Progress;
use crate::cli::session::{Place, Session};
use crate::client::path_part;
use crate::config::units::show_duration;
use std::time::Duration;

pub(super) async fn stats(place: &Place, args: StatsArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let path = format!("/v1/stats?period={}&by={}", path_part(&args.period), path_part(&args.by));
    let view: StatsView = session.client.get(&path).await?;
    let mut output = Output::stdout(args.output.output);
    match output.format() {
        Format::Json => output.json(&view)?,
        Format::Jsonl | Format::Id => output.list(&view.rows)?,
        Format::Table | Format::Wide => {
            output.text(&format!("tasks that ended in the last {}\n", args.period))?;
            let mut rows = view.rows.clone();
            let name = Some("all".to_owned());
            let all = if args.by == "type" {
                StatsRowView { task_type: name, ..view.total.clone() }
            } else {
                StatsRowView { device: name, ..view.total.clone() }
            };
            rows.push(all);
            output.list(&rows)?;
        }
    }
    let mut progress = Progress::stderr();
    if !view.silent.is_empty() {
        let names = view.silent.join(", ");
        progress.notice(&format!("no answer from {names}: what nobody else keeps is not counted"));
    }
    if !view.partial.is_empty() {
        progress.notice(&format!("{} had too much to count: only the newest tasks are", view.partial.join(", ")));
    }
    Ok(Exit::Ok.code())
}

/// Seconds in the unit that suits them.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.2} s"),
        s => show_duration(Duration::from_secs_f64(s)),
    }
}

fn spread(view: Option<PercentilesView>) -> Cell {
    Cell::some(view.map(|view| format!("{} / {} / {}", time(view.p50), time(view.p90), time(view.p99))))
}

fn percent(share: Option<f64>) -> Cell {
    // Only all of them are 100 %.
    Cell::some(share.map(|share| format!("{:.1} %", (share * 1e3).floor() / 10.0)))
}

impl Row for StatsRowView {
    const HEAD: (&'static [&'static str], &'static [&'static str]) = (
        &[
            "DEVICE",
            "TYPE",
            "TOTAL",
            "COMPLETED",
            "FAILED",
            "SUCCESS",
            "MEAN RUN",
            "MEAN RESPONSE",
            "USED",
            "DELAY P50/P90/P99",
        ],
        &["RUN P50/P90/P99", "RESPONSE P50/P90/P99", "MEAN DELAY", "TIMEOUT", "CANCELLED", "ID"],
    );
    fn id(&self) -> String {
        self.device_id.clone().or_else(|| self.task_type.clone()).unwrap_or_default()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        vec![
            Cell::some(self.device.as_ref()),
            Cell::some(self.task_type.as_ref()),
            Cell::new(self.total.to_string()),
            Cell::new(self.completed.to_string()),
            Cell::new((self.failed + self.timeout).to_string()),
            percent(self.success_rate),
            Cell::some(self.mean_execution_seconds.map(time)),
            Cell::some(self.mean_response_seconds.map(time)),
            percent(self.utilisation),
            spread(self.delay_seconds),
            spread(self.execution_seconds),
            spread(self.response_seconds),
            Cell::some(self.mean_delay_seconds.map(time)),
            Cell::new(self.timeout.to_string()),
            Cell::new(self.cancelled.to_string()),
            Cell::some(self.device_id.as_ref()),
        ]
    }
}
