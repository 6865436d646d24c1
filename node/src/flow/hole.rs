//! Holes in texts: `{{variable}}` and `{{tasks.NAME.result.field}}`, and `{{{{` for two braces that are none. Knows texts, and nothing
//! of what comes into the holes.

use std::fmt;

/// The longest name of a variable or a task that a hole can have, characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Most steps of a path into a result.
const STEPS_MAX: usize = 32;

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it is.
    Text(String),
    /// The value of a variable.
    Variable(String),
    /// Something that a task left.
    Result(Reference),
}

/// Something that a task left: `tasks.NAME.result.files[0].blob`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The task's name.
    pub task: String,
    /// From what it left to the value that is meant; begins with one of [`ROOTS`].
    pub path: Vec<Step>,
}

/// What a task leaves: what its handler returned, what it wrote, and the blobs that it made.
pub const ROOTS: [&str; 4] = ["result", "stdout", "stderr", "blobs"];

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A field of an object; all of it digits, also a place in a list.
    Field(String),
    /// A place in a list, from 0.
    Place(usize),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tasks.{}", self.task)?;
        self.path.iter().try_for_each(|step| match step {
            Step::Field(name) => write!(f, ".{name}"),
            Step::Place(place) => write!(f, "[{place}]"),
        })
    }
}

/// A text with holes that are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// The parts of a text; one part that is [`Part::Text`] if it has no holes.
///
/// # Errors
/// A hole has no end, or nothing in it that makes sense.
pub fn parts(text: &str) -> Result<Vec<Part>, Malformed> {
    let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find(OPEN) {
        plain.push_str(&rest[..at]);
        rest = &rest[at + OPEN.len()..];
        if let Some(after) = rest.strip_prefix(OPEN) {
            plain.push_str(OPEN);
            rest = after;
            continue;
        }
        let end = rest.find(CLOSE).ok_or_else(|| {
            let shown: String = rest.chars().take(24).collect();
            Malformed(format!("`{{{{{shown}` has no end `}}}}` (for two braces as they are, write `{{{{{{{{`)"))
        })?;
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(hole(rest[..end].trim())?);
        rest = &rest[end + CLOSE.len()..];
    }
    plain.push_str(rest);
    if !plain.is_empty() || parts.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

/// A text that [`parts`] reads back as it is.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.replace(OPEN, "{{{{")
}

/// A name that a variable or a task can have.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.chars().all(fits)
}

fn hole(inside: &str) -> Result<Part, Malformed> {
    let bad = |why: &str| Malformed(format!("`{{{{{inside}}}}}`: {why}"));
    let Some(rest) = inside.strip_prefix("tasks.") else {
        if is_name(inside) {
            return Ok(Part::Variable(inside.to_owned()));
        }
        return Err(bad("is no variable's name, and no `tasks.NAME.result`"));
    };
    let (task, path) =
        rest.split_once('.').ok_or_else(|| bad("does not say what of the task: `.result`, `.stdout`"))?;
    if !is_name(task) {
        return Err(bad("a task's name has letters, digits, _ and -"));
    }
    let path = steps(path).ok_or_else(|| bad("the path is written as `.field` and `[0]`"))?;
    let root = matches!(path.first(), Some(Step::Field(root)) if ROOTS.contains(&root.as_str()));
    if !root {
        return Err(bad(&format!("a task leaves {}", ROOTS.join(", "))));
    }
    if path.len() > STEPS_MAX {
        return Err(bad(&format!("has more than {STEPS_MAX} steps")));
    }
    Ok(Part::Result(Reference { task: task.to_owned(), path }))
}

/// `result.files[0].blob`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (field, mut places) = part.split_at(part.find('[').unwrap_or(part.len()));
        if field.is_empty() || field.contains(']') {
            return None;
        }
        steps.push(Step::Field(field.to_owned()));
        while !places.is_empty() {
            let (place, rest) = places.strip_prefix('[')?.split_once(']')?;
            steps.push(Step::Place(place.parse().ok()?));
            places = rest;
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match parts(text) {
            Ok(parts) => {
                let shown = parts.into_iter().map(|part| match part {
                    Part::Text(text) => format!("{text:?}"),
                    Part::Variable(name) => format!("${name}"),
                    Part::Result(reference) => format!("<{reference}>"),
                });
                shown.collect::<Vec<_>>().join(" ")
            }
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn texts_and_their_holes() {
        let table = [
            ("", "\"\""),
            ("plain } text }} {", "\"plain } text }} {\""),
            ("{{a}}", "$a"),
            ("{{ a_b-9 }}x", "$a_b-9 \"x\""),
            ("{{a}}{{b}}", "$a $b"),
            ("{{{{a}}", "\"{{a}}\""),
            ("x{{{{{{a}}", "\"x{{\" $a"),
            ("{{tasks.one.result}}", "<tasks.one.result>"),
            ("n={{ tasks.one.result.a.b[3][0].c }};", "\"n=\" <tasks.one.result.a.b[3][0].c> \";\""),
            ("{{tasks.one.stdout}}", "<tasks.one.stdout>"),
            ("{{tasks.one.result.0}}", "<tasks.one.result.0>"),
            ("{{a", "error: `{{a` has no end `}}` (for two braces as they are, write `{{{{`)"),
            ("{{}}", "error: `{{}}`: is no variable's name, and no `tasks.NAME.result`"),
            ("{{a b}}", "error: `{{a b}}`: is no variable's name, and no `tasks.NAME.result`"),
            ("{{tasks.one}}", "error: `{{tasks.one}}`: does not say what of the task: `.result`, `.stdout`"),
            ("{{tasks.o e.result}}", "error: `{{tasks.o e.result}}`: a task's name has letters, digits, _ and -"),
            ("{{tasks.one.output}}", "error: `{{tasks.one.output}}`: a task leaves result, stdout, stderr, blobs"),
            ("{{tasks.one.result.}}", "error: `{{tasks.one.result.}}`: the path is written as `.field` and `[0]`"),
            ("{{tasks.one.result[x]}}", "error: `{{tasks.one.result[x]}}`: the path is written as `.field` and `[0]`"),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_escaped_is_read_back() {
        for text in ["", "{{a}}", "{{{{", "{", "{{{", "x{{y}} {{{{z", "}}"] {
            let back = parts(&escaped(text)).unwrap();
            assert_eq!(back, [Part::Text(text.to_owned())], "{text}");
        }
    }
}
