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
        Self { colour: std::io::stdout().is_terminal() && !no_colour, now_ms: now_ms() }
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

    /// When something will be, as a person here would say it: `22:00`, or `sat 22:00`. As it is written if it cannot be read.
    pub(in crate::cli) fn clock(&self, at: &str) -> String {
        let read = |ms: u64| jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok();
        let zone = jiff::tz::TimeZone::system();
        let said = parse_rfc3339(at).and_then(read).zip(read(self.now_ms)).map(|(at, now)| {
            let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone));
            let form = if at.date() == now.date() { "%H:%M" } else { "%a %H:%M" };
            at.strftime(form).to_string().to_lowercase()
        });
        said.unwrap_or_else(|| at.to_owned())
    }

    /// Ages are from now on.
    pub(super) fn look_at_the_clock(&mut self) {
        self.now_ms = now_ms();
    }

    /// How long ago something was, by this device's clock; clocks differ, so the future is now.
    pub(super) fn age(&self, at: Option<&String>) -> Cell {
        let ms = at.and_then(|at| parse_rfc3339(at));
        Cell::some(ms.map(|ms| show_duration(Duration::from_millis(self.now_ms.saturating_sub(ms)))))
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64)
}
