//! Prints data on stdout in the format that was asked for. What the data is called and which columns it has, its own file says.

mod batch;
mod rows;
mod style;
mod table;

pub(super) use batch::bar;
pub(super) use rows::result_card;
pub(super) use style::{Cell, Paint, Style};

use super::error::{CliError, Exit};
use clap::ValueEnum;
use serde::Serialize;
use std::io::{self, Write};

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// For people, with everything
    Wide,
    /// As the HTTP API prints it
    Json,
    /// One JSON object per line
    Jsonl,
    /// Ids only
    Id,
}

/// Something that is printed as a line of a table.
pub(super) trait Row: Serialize {
    /// The headings; those after the bar only in the wide table.
    const HEAD: (&'static [&'static str], &'static [&'static str]);
    /// What `-o id` prints.
    fn id(&self) -> String;
    /// A cell per heading, the wide ones included.
    fn cells(&self, style: &Style) -> Vec<Cell>;
}

impl<T: Row> Row for &T {
    const HEAD: (&'static [&'static str], &'static [&'static str]) = T::HEAD;
    fn id(&self) -> String {
        T::id(self)
    }
    fn cells(&self, style: &Style) -> Vec<Cell> {
        T::cells(self, style)
    }
}

/// Something that is printed as labelled lines.
pub(super) trait Card: Serialize {
    /// What `-o id` prints.
    fn id(&self) -> String;
    /// Labels and values; empty values are left out.
    fn lines(&self, wide: bool, style: &Style) -> Vec<(&'static str, Cell)>;
}

/// Where data goes, and how.
pub(super) struct Output<W> {
    format: Format,
    style: Style,
    to: W,
}

impl Output<io::Stdout> {
    /// To stdout.
    pub(super) fn stdout(format: Format) -> Self {
        Self::new(format, Style::of_stdout(), io::stdout())
    }
}

impl<W: Write> Output<W> {
    pub(super) const fn new(format: Format, style: Style, to: W) -> Self {
        Self { format, style, to }
    }

    /// It took a while to get here: ages are from now on.
    pub(super) fn look_at_the_clock(&mut self) {
        self.style.look_at_the_clock();
    }

    pub(super) const fn format(&self) -> Format {
        self.format
    }

    /// A list: a table, a JSON array, or a line each.
    pub(super) fn list<T: Row>(&mut self, rows: &[T]) -> Result<(), CliError> {
        let text = match self.format {
            Format::Table | Format::Wide => {
                let wide = self.format == Format::Wide;
                let (narrow, more) = T::HEAD;
                let mut head = narrow.to_vec();
                if wide {
                    head.extend_from_slice(more);
                }
                let cells = rows.iter().map(|row| {
                    let mut cells = row.cells(&self.style);
                    cells.truncate(head.len());
                    cells
                });
                table::table(&head, &cells.collect::<Vec<_>>(), &self.style)
            }
            Format::Json => pretty(&rows)?,
            Format::Jsonl => rows.iter().map(compact).collect::<Result<String, _>>()?,
            Format::Id => rows.iter().map(|row| row.id() + "\n").collect(),
        };
        self.text(&text)
    }

    /// A line each without headings, as things change: for a table a line of words, else as in a list.
    pub(super) fn lines<T: Row>(&mut self, rows: &[T]) -> Result<(), CliError> {
        if !matches!(self.format, Format::Table | Format::Wide) {
            let format = self.format;
            self.format = if format == Format::Id { Format::Id } else { Format::Jsonl };
            let done = self.list(rows);
            self.format = format;
            return done;
        }
        let line = |row: &T| {
            let cells = row.cells(&self.style).into_iter().take(T::HEAD.0.len());
            let words = cells.filter(|cell| !cell.text.is_empty()).map(|cell| {
                let text: String = cell.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                self.style.paint(&text, cell.paint)
            });
            words.collect::<Vec<_>>().join("  ") + "\n"
        };
        let text: String = rows.iter().map(line).collect();
        self.text(&text)
    }

    /// One thing.
    pub(super) fn one<T: Card>(&mut self, card: &T) -> Result<(), CliError> {
        let text = match self.format {
            Format::Table | Format::Wide => {
                let wide = self.format == Format::Wide;
                table::card(&card.lines(wide, &self.style), &self.style)
            }
            Format::Json => pretty(card)?,
            Format::Jsonl => compact(card)?,
            Format::Id => card.id() + "\n",
        };
        self.text(&text)
    }

    /// JSON of something that has no table.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let text = match self.format {
            Format::Json => pretty(value)?,
            _ => compact(value)?,
        };
        self.text(&text)
    }

    /// Text as it is.
    pub(super) fn text(&mut self, text: &str) -> Result<(), CliError> {
        let written = self.to.write_all(text.as_bytes());
        written.and_then(|()| self.to.flush()).map_err(closed)
    }
}

/// A reader that has seen enough is no error: `rc-node ps | head`.
fn closed(error: io::Error) -> CliError {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return CliError::new(Exit::Ok, "", "", "");
    }
    CliError::new(Exit::Failed, "cannot print", error.to_string(), "")
}

fn pretty(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(unprintable)
}

fn compact(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string(value).map(|text| text + "\n").map_err(unprintable)
}

fn unprintable(error: serde_json::Error) -> CliError {
    CliError::new(Exit::Failed, "cannot print", error.to_string(), "")
}
