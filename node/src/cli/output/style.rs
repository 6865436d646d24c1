//! Colours and ages. Colours only on a terminal, and not with `NO_COLOR`.

use crate::api::model::parse_rfc3339;
use crate::config::units::show_duration;
use std::io::IsTerminal;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A colour with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Paint {
    /// As it is.
    Plain,
    /// Good.
    Good,
    /// Under way.
    Busy,
    /// Bad.
    Bad,
    /// Not important.
    Dim,
}

/// A text with a colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Cell {
    pub(in crate::cli) text: String,
    pub(in crate::cli) paint: Paint,
}

impl Cell {
    pub(in crate::cli) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), paint: Paint::Plain }
    }

    pub(in crate::cli) fn some(text: Option<impl ToString>) -> Self {
        Self::new(text.map_or_else(String::new, |text| text.to_string()))
    }

    /// A status or a device's state, in the colour of its meaning.
    pub(in crate::cli) fn state(word: &str) -> Self {
        let paint = match word {
            "completed" | "idle" | "true" => Paint::Good,
            "assigned" | "running" | "working" | "retrying" | "cancelling" => Paint::Busy,
            "failed" | "timeout" | "dead" | "suspect" | "false" => Paint::Bad,
            "cancelled" | "paused" | "draining" => Paint::Dim,
            _ => Paint::Plain,
        };
        Self { text: word.to_owned(), paint }
    }
}

/// What the terminal is like, and what time it is.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Style {
    pub(in crate::cli) colour: bool,
    /// Milliseconds since 1970, for ages.
    pub(in crate::cli) now_ms: u64,
}

impl Style {
    /// Of standard output.
    pub(in crate::cli) fn of_stdout() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            colour: std::io::stdout().is_terminal() && !no_colour,
            now_ms: now.map_or(0, |now| now.as_millis() as u64),
        }
    }

    pub(in crate::cli) fn paint(&self, text: &str, paint: Paint) -> String {
        let code = match paint {
            Paint::Good => "32",
            Paint::Busy => "36",
            Paint::Bad => "31",
            Paint::Dim => "2",
            Paint::Plain => return text.to_owned(),
        };
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// How long ago something was, by this device's clock; clocks differ, so the future is now.
    pub(super) fn age(&self, at: Option<&String>) -> Cell {
        let ms = at.and_then(|at| parse_rfc3339(at));
        Cell::some(ms.map(|ms| show_duration(Duration::from_millis(self.now_ms.saturating_sub(ms)))))
    }
}
