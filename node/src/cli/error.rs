//! What a person reads when something went wrong: what, why, and what to do; and the exit code for scripts.

use super::output::shown_lines;
use crate::api::{Code, Problem};
use crate::client::ClientError;
use std::io::Write;

/// Exit codes; `exec` has its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Done.
    Ok,
    /// It failed.
    Failed,
    /// The command line or the request makes no sense.
    Usage,
    /// No such task or device.
    NotFound,
    /// Not a member, or not allowed.
    NotAllowed,
    /// No daemon answers.
    NoDaemon,
    /// The wait was over before the task.
    WaitTimedOut,
    /// Accepted, but no device fits now.
    NoFit,
    /// Several ids match.
    Ambiguous,
    /// Some of several failed.
    SomeFailed,
    /// `exec`: the command ran out of time.
    ExecTimeout,
    /// `exec`: rc-node's fault, not the command's.
    ExecOurs,
    /// Ctrl-C.
    Interrupted,
    /// `exec`: nobody reads what the command writes.
    BrokenPipe,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotAllowed => 4,
            Self::NoDaemon => 5,
            Self::WaitTimedOut => 6,
            Self::NoFit => 7,
            Self::Ambiguous => 8,
            Self::SomeFailed => 9,
            Self::ExecTimeout => 124,
            Self::ExecOurs => 125,
            Self::Interrupted => 130,
            Self::BrokenPipe => 141,
        }
    }
}

/// An error as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    /// What did not work.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do about it; may be empty.
    pub hint: String,
    /// For scripts.
    pub exit: Exit,
}

impl CliError {
    /// An error in three short lines.
    pub fn new(exit: Exit, what: impl Into<String>, why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), hint: hint.into(), exit }
    }

    /// The request or the command line makes no sense.
    pub fn usage(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "the command makes no sense", why, hint)
    }

    /// The same with another code.
    #[must_use]
    pub fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// The lines, each with its end.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut text = format!("error: {}\n", self.what);
        for (label, part) in [("why", &self.why), ("try", &self.hint)] {
            if !part.is_empty() {
                let indented = part.replace('\n', "\n       ");
                text.push_str(&format!("  {label}: {indented}\n"));
            }
        }
        // What went wrong may have been put in words by a stranger's task.
        shown_lines(&text)
    }

    /// To stderr.
    pub fn print(&self) {
        if self.what.is_empty() {
            return;
        }
        // Nobody is left to tell if stderr is closed.
        let _ = std::io::stderr().write_all(self.lines().as_bytes());
    }
}

impl From<Problem> for CliError {
    fn from(problem: Problem) -> Self {
        let exit = match Code::from_word(&problem.code) {
            Some(Code::InvalidRequest | Code::TooLarge | Code::Policy) => Exit::Usage,
            Some(Code::NotFound | Code::NoBatch | Code::BlobMissing | Code::NoDevice) => Exit::NotFound,
            Some(Code::Unauthorized | Code::Forbidden) => Exit::NotAllowed,
            Some(Code::Ambiguous) => Exit::Ambiguous,
            Some(Code::Stopping) => Exit::NoDaemon,
            Some(Code::Timeout) => Exit::WaitTimedOut,
            _ => Exit::Failed,
        };
        let mut why = problem.detail.into_string();
        if exit == Exit::Ambiguous {
            for id in &problem.matches {
                why.push('\n');
                why.push_str(id);
            }
        }
        let hint = problem.hint.map(String::from).unwrap_or_default();
        Self::new(exit, problem.title, why, hint)
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Problem(problem) => (*problem).into(),
            ClientError::NoDaemon { path, source } => Self::new(
                Exit::NoDaemon,
                "no node runs here",
                format!("nothing answers at {} ({source})", path.display()),
                "start one with `rc-node`, or name another with --data-dir",
            ),
            ClientError::Broken(_) => Self::new(
                Exit::NoDaemon,
                "the node went away",
                error.to_string(),
                "look at `rc-node status`, then ask again: what was accepted is not lost",
            ),
            ClientError::Nonsense(_) => Self::new(
                Exit::Failed,
                "the node cannot be understood",
                error.to_string(),
                "update rc-node on this device and restart the node",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_drives_the_terminal() {
        let error = CliError::new(Exit::Failed, "task \u{1b}]0;x\u{7} failed", "one\r\n\u{9b}2Jtwo", "");
        assert_eq!(error.lines(), "error: task  ]0;x  failed\n  why: one \n        2Jtwo\n");
    }
}
