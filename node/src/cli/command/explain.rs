//! `explain`: why a task is where it is.

use crate::api::model::{ExplainRowView, ExplainView, WouldRunView};
use crate::cli::args::IdArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format, Output, Style, shown_lines};
use crate::cli::session::{Place, Session};
use crate::client::path_part;
use std::io::Write;

pub(super) async fn explain(place: &Place, args: IdArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let path = format!("/v1/tasks/{}/explain", path_part(&args.id));
    let view: ExplainView = session.client.get(&path).await?;
    let mut output = Output::stdout(args.output.output);
    match output.format() {
        Format::Json | Format::Jsonl => output.json(&view)?,
        Format::Id => output.list(&view.rows)?,
        Format::Table | Format::Wide => print(&mut output, &view)?,
    }
    Ok(Exit::Ok.code())
}

/// An explanation for people.
pub(super) fn print<W: Write>(output: &mut Output<W>, view: &ExplainView) -> Result<(), CliError> {
    output.text(&shown_lines(&head(view)))?;
    output.list(&view.rows)?;
    let wide = output.format() == Format::Wide;
    let style = Style::of_stdout();
    if wide || view.chosen.is_none() {
        output.text(&would_run(&view.rows, &style))?;
    }
    if wide {
        output.text(&format!("\nview {}\n", view.view_hash))?;
    }
    Ok(())
}

/// What there is to say of the task itself.
fn head(view: &ExplainView) -> String {
    let task = &view.task;
    let mut lines = Vec::new();
    let ended = matches!(task.status.as_str(), "completed" | "failed" | "cancelled" | "timeout");
    match &task.task_id {
        Some(id) => {
            let mut line = format!("{id} ({}) is {}", task.task_type, task.status);
            let error = task.error.as_ref().map(|error| format!("{}: {}", error.class, error.message));
            if let Some(why) = error.as_ref().or(task.detail.as_ref()).or(task.reason.as_ref()) {
                line.push_str(&format!(": {why}"));
            }
            lines.push(line);
        }
        None => lines.push(match (&view.chosen, &task.detail) {
            (Some(device), _) => format!("This {} would go to {device}", task.task_type),
            (None, Some(why)) => format!("This {} would wait: {why}", task.task_type),
            (None, None) => format!("This {} would wait", task.task_type),
        }),
    }
    if let Some(who) = task.submitter.as_ref().filter(|_| task.status == "queued") {
        lines.push(format!("It waits on the account of {who}: of equal priority, submitters take turns"));
    }
    if let Some(at) = &task.not_before {
        lines.push(format!("Its next attempt begins after {at}"));
    }
    if let Some(place) = &view.placement {
        lines.push(format!(
            "Attempt {} was given to {} by {} for a score of {:.3}: {}",
            place.attempt, place.device, place.guardian, place.score, place.outcome
        ));
    }
    let now = match (&view.chosen, &view.runner_up) {
        (Some(device), Some(next)) => format!("{device} comes first, {next} second"),
        (Some(device), None) => format!("only {device} fits"),
        (None, _) => "no device fits".to_owned(),
    };
    let again =
        if task.task_id.is_some() && (ended || view.placement.is_some()) { "Were it placed now, " } else { "Now " };
    lines.push(format!("{again}{now}:"));
    lines.join("\n") + "\n\n"
}

/// For each device that does not fit, what would help.
fn would_run(rows: &[ExplainRowView], style: &Style) -> String {
    let lines: Vec<_> =
        rows.iter().filter_map(|row| Some((&row.device, how(row.would_run.as_ref()?, style)?))).collect();
    if lines.is_empty() {
        return String::new();
    }
    let width = lines.iter().map(|(device, _)| device.chars().count()).max().unwrap_or(0);
    let lines = lines.iter().map(|(device, how)| format!("  on {device:width$}  {how}\n"));
    format!("\nIt would run\n{}", lines.collect::<String>())
}

/// `now, with --min-memory-gb 3`; `None` if nothing helps.
fn how(would: &WouldRunView, style: &Style) -> Option<String> {
    if would.never {
        return None;
    }
    let mut parts: Vec<_> = would.at.iter().map(|at| format!("at {}", style.clock(at))).collect();
    parts.extend(would.when.iter().map(|what| format!("when {what}")));
    if !would.owner.is_empty() {
        parts.push(format!("if its owner says {}", would.owner.join(" and ")));
    }
    if parts.is_empty() {
        parts.push("now".to_owned());
    }
    if !would.flags.is_empty() {
        parts.push(match would.flags.iter().all(|flag| flag.starts_with("without ")) {
            true => would.flags.join(" and "),
            false => format!("with {}", would.flags.join(" ")),
        });
    }
    Some(parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_help_is_said_in_few_words() {
        let style = Style::of_stdout();
        let flags = |flags: &[&str]| flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>();
        let say = |would: WouldRunView| how(&would, &style);
        let none = WouldRunView::default;
        assert_eq!(
            say(WouldRunView { flags: flags(&["--min-memory-gb 3"]), ..none() }).as_deref(),
            Some("now, with --min-memory-gb 3")
        );
        assert_eq!(
            say(WouldRunView { flags: flags(&["without --requires-gpu"]), ..none() }).as_deref(),
            Some("now, without --requires-gpu")
        );
        let owner = flags(&["--allow command there"]);
        assert_eq!(say(WouldRunView { owner, ..none() }).as_deref(), Some("if its owner says --allow command there"));
        assert_eq!(
            say(WouldRunView { when: flags(&["it is heard again"]), ..none() }).as_deref(),
            Some("when it is heard again")
        );
        assert_eq!(say(WouldRunView { never: true, ..none() }), None);
    }
}
