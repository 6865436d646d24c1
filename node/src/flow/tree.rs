//! A file as a tree of values, each with its place, whether it was written in TOML, YAML or JSON. Knows nothing of what is in it.

mod json;
mod toml;
mod yaml;

use serde_json::{Map, Value};
use std::fmt;

/// Deepest nesting that is read.
const DEPTH_MAX: usize = 64;
/// Most values of a file, those that YAML repeats by name included.
const NODES_MAX: usize = 1_000_000;

/// A place in a file, both numbers from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why a file is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Refused {
    /// Where in the file.
    pub place: Place,
    /// What is wrong there, and what is accepted.
    pub message: String,
}

impl Refused {
    pub(super) fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into() }
    }
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// TOML 1.1.
    Toml,
    /// YAML 1.2, one document.
    Yaml,
    /// JSON.
    Json,
}

impl Format {
    /// The one that a file's name says, else the one that its text looks like.
    #[must_use]
    pub fn of(name: &str, text: &str) -> Self {
        match name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).as_deref() {
            Some("toml") => Self::Toml,
            Some("yaml" | "yml") => Self::Yaml,
            Some("json") => Self::Json,
            _ if text.trim_start().starts_with('{') => Self::Json,
            // In TOML there is an `=` before there is a `:`; in YAML it is the other way round.
            _ => {
                match text.lines().find_map(|line| line.split('#').next()?.find(['=', ':', '[']).map(|at| &line[at..]))
                {
                    Some(rest) if rest.starts_with(':') => Self::Yaml,
                    _ => Self::Toml,
                }
            }
        }
    }
}

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `null`, a boolean or a number.
    Scalar(Value),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Fields in the order of the file, each with where its name is.
    Map(Vec<Field>),
}

/// A field of a [`Kind::Map`].
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Where its name is.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// Reads a file.
    ///
    /// # Errors
    /// It is not what it says it is, with the place; or it is too deep or too large.
    pub fn read(format: Format, text: &str) -> Result<Self, Refused> {
        match format {
            Format::Toml => toml::read(text),
            Format::Yaml => yaml::read(text),
            Format::Json => json::read(text),
        }
    }

    /// The value without places.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Self::to_value).collect(),
            Kind::Map(fields) => Value::Object(
                fields.iter().map(|field| (field.name.clone(), field.value.to_value())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// A value as it would be if it stood at `place`.
    #[must_use]
    pub fn at(place: Place, value: Value) -> Self {
        let kind = match value {
            Value::String(text) => Kind::Text(text),
            Value::Array(items) => Kind::List(items.into_iter().map(|item| Self::at(place, item)).collect()),
            Value::Object(fields) => {
                let field = |(name, value)| Field { place, name, value: Self::at(place, value) };
                Kind::Map(fields.into_iter().map(field).collect())
            }
            scalar => Kind::Scalar(scalar),
        };
        Self { place, kind }
    }

    /// A field of it, if it is a map that has one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.fields().iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// Its fields, if it is a map.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        match &self.kind {
            Kind::Map(fields) => fields,
            _ => &[],
        }
    }

    /// What it is, for people.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(Value::Null) => "nothing",
            Kind::Scalar(Value::Bool(_)) => "a boolean",
            Kind::Scalar(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a table",
        }
    }
}

/// Finds line and column of places in a text: each in the same short time, wherever it is in however long a line.
struct Lines<'a> {
    text: &'a str,
    begins: Vec<usize>,
    /// Characters before every so many bytes.
    marks: Vec<usize>,
}

/// Bytes between two marks.
const MARK_EVERY: usize = 256;

/// Characters that begin in these bytes.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let begins = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let before = text.as_bytes().chunks(MARK_EVERY).scan(0, |sum, chunk| {
            let before = *sum;
            *sum += characters(chunk);
            Some(before)
        });
        Self { text, begins, marks: before.collect() }
    }

    /// Characters before a byte.
    fn before(&self, byte: usize) -> usize {
        let byte = byte.min(self.text.len());
        // The last mark; right behind the text's last byte there may be none.
        let mark = (byte / MARK_EVERY).min(self.marks.len().saturating_sub(1));
        let marked = self.marks.get(mark).copied().unwrap_or(0);
        marked + characters(&self.text.as_bytes()[mark * MARK_EVERY..byte])
    }

    /// The place of a byte.
    fn of(&self, byte: usize) -> Place {
        let line = self.begins.partition_point(|begin| *begin <= byte).max(1);
        let begin = self.begins.get(line - 1).copied().unwrap_or(0);
        Place { line, column: self.before(byte) - self.before(begin) + 1 }
    }
}

/// Counts what is read.
#[derive(Default)]
struct Budget(usize);

impl Budget {
    fn take(&mut self, place: Place, depth: usize) -> Result<(), Refused> {
        self.0 += 1;
        if depth > DEPTH_MAX {
            return Err(Refused::new(place, format!("nests deeper than {DEPTH_MAX} levels")));
        }
        if self.0 > NODES_MAX {
            return Err(Refused::new(place, format!("has more than {NODES_MAX} values")));
        }
        Ok(())
    }
}

/// A map in which a name comes twice says two things.
fn no_doubles(fields: &[Field]) -> Result<(), Refused> {
    let mut names = std::collections::BTreeSet::new();
    match fields.iter().find(|field| !names.insert(&field.name)) {
        Some(twice) => Err(Refused::new(twice.place, format!("`{}` is there twice", twice.name))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
