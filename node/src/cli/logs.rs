//! Prints what a task writes, each stream where it belongs, as it comes.

use super::error::{CliError, Exit};
use super::progress::Progress;
use crate::api::model::LogView;
use crate::client::{Client, path_part};
use std::io::Write;

/// What is said when not all of the output was to be had.
pub(super) const TRUNCATED: &str = "rc-node: the output was longer; only a part of it was kept";

/// How the lines ended.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The status of the task, if it has ended.
    pub(super) status: Option<String>,
    /// Some of the output was not to be had.
    pub(super) truncated: bool,
    /// Standard output takes no more.
    pub(super) closed: bool,
    attempts: u32,
    command: bool,
    /// What was printed last ended within a line.
    within_line: bool,
}

/// Prints the log of a task; `raw` prints lines of JSON. How far the task is goes to `progress`.
pub(super) async fn print(
    client: &mut Client,
    id: &str,
    follow: bool,
    raw: bool,
    seen: &mut Seen,
    mut progress: Progress,
) -> Result<(), CliError> {
    let path = format!("/v1/tasks/{}/logs?follow={follow}", path_part(id));
    let mut nonsense = None;
    let lines = client.get_lines(&path, |line| {
        match serde_json::from_slice(line) {
            Ok(view) if raw => {
                seen.note(&view);
                seen.out(&[line, b"\n"].concat());
            }
            Ok(view) => seen.show(&view, &mut progress),
            Err(error) => nonsense = Some(error.to_string()),
        }
        nonsense.is_none() && !seen.closed
    });
    lines.await?;
    match nonsense {
        Some(why) => Err(CliError::new(Exit::Failed, "the node cannot be understood", why, "")),
        None => Ok(()),
    }
}

impl Seen {
    /// For a command that has the terminal to itself once it writes.
    pub(super) fn for_command() -> Self {
        Self { command: true, ..Self::default() }
    }

    fn out(&mut self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        self.closed |= stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err();
    }

    fn note(&mut self, view: &LogView) {
        if let LogView::Ended { status, truncated } = view {
            self.status = Some(status.clone());
            self.truncated = *truncated;
        }
    }

    fn show(&mut self, view: &LogView, progress: &mut Progress) {
        self.note(view);
        match view {
            LogView::Output { stream, .. } => {
                if self.command {
                    progress.hush()
                } else {
                    progress.clear()
                }
                let bytes = view.bytes();
                self.within_line = bytes.last().is_some_and(|byte| *byte != b'\n');
                if stream == "stdout" {
                    self.out(&bytes);
                } else {
                    // Nobody is left to tell if stderr is closed.
                    let _ = std::io::stderr().write_all(&bytes);
                }
            }
            LogView::Attempt { device, .. } => {
                self.attempts += 1;
                // The first one needs no words.
                if self.attempts > 1 {
                    progress.notice(&format!(
                        "rc-node: it runs on {device} now, from the beginning; what it writes there follows"
                    ));
                }
            }
            LogView::Copy { device, .. } => {
                let what = "what that writes follows if this one is over first";
                notice(progress, &format!("it takes unusually long, so {device} gets a copy; {what}"));
            }
            LogView::Over { device, outcome, .. } => {
                self.attempts += 1;
                notice(progress, &format!("the attempt on {device} is over: {outcome}"));
            }
            LogView::Missing { bytes } => {
                notice(progress, &format!("{bytes} bytes of the output are missing here"));
            }
            LogView::Progress { percent, text, .. } => {
                let percent = percent.map(|percent| format!("{percent} %"));
                let said = [percent.as_deref(), Some(text.as_str())];
                let said: Vec<_> = said.into_iter().flatten().filter(|part| !part.is_empty()).collect();
                if !said.is_empty() && !self.within_line {
                    progress.tell(&said.join(" "), "");
                }
            }
            LogView::Broken { detail } => notice(progress, &format!("the log ends here: {detail}")),
            LogView::Ended { .. } => {}
        }
    }
}

/// What rc-node says between the lines of a task. Names and errors come from elsewhere and must not drive the terminal.
fn notice(progress: &mut Progress, text: &str) {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    progress.notice(&format!("rc-node: {plain}"));
}
