//! Fills the holes of a JSON text. Everything but the texts with holes stays as it was written, byte for byte, so that no number loses
//! digits; a hole that is all of a text becomes the value itself, with its JSON type; one within a text becomes text.

use super::hole::{Malformed, Part, Reference, Step, parts};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Why holes cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// A hole makes no sense.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// There is no such variable here.
    #[error("`{{{{{0}}}}}`: there is no such variable")]
    Variable(String),
    /// The task is not one whose result is known.
    #[error("`{{{{{0}}}}}`: the task does not come after one that is called so")]
    Task(Reference),
    /// What the task left has no such thing.
    #[error("`{{{{{reference}}}}}`: {why}")]
    Missing {
        /// What was asked for.
        reference: Reference,
        /// Where it ends, and what there is.
        why: String,
    },
    /// The text is no JSON.
    #[error("is not JSON: {0}")]
    Json(String),
    /// What comes out is too long.
    #[error("has more than {0} bytes when its holes are filled")]
    TooLong(usize),
}

/// The texts of a JSON text that are values and have braces, as the part of it that each is.
fn texts(json: &str) -> Vec<std::ops::Range<usize>> {
    let bytes = json.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(begin) = bytes[at..].iter().position(|byte| *byte == b'"').map(|next| at + next) {
        let mut end = begin + 1;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        at = (end + 1).min(bytes.len());
        let is_key = bytes[at..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
        // An escape could write a brace, too.
        let braces = json.get(begin..at).is_some_and(|text| text.contains("{{") || text.contains("\\u007"));
        if !is_key && braces {
            found.push(begin..at);
        }
    }
    found
}

/// What tasks left that holes of a JSON text refer to, in the order of the text. A text with braces that refers to nothing has no holes:
/// they are its own.
///
/// # Errors
/// It refers to something, and another hole makes no sense.
pub fn references(json: &str) -> Result<Vec<Reference>, FillError> {
    let (mut all, mut wrong) = (Vec::new(), None);
    for range in texts(json) {
        match text(&json[range]).and_then(|text| Ok(parts(&text)?)) {
            Ok(parts) => {
                for part in parts {
                    match part {
                        Part::Result(reference) => all.push(reference),
                        Part::Text(_) => {}
                        Part::Variable(name) => wrong = wrong.or(Some(FillError::Variable(name))),
                    }
                }
            }
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    match wrong {
        Some(error) if !all.is_empty() => Err(error),
        _ => Ok(all),
    }
}

fn text(json: &str) -> Result<String, FillError> {
    serde_json::from_str(json).map_err(|error| FillError::Json(error.to_string()))
}

/// Fills all holes; `left` are the bodies of the outcomes of the tasks that are referred to, by name.
///
/// # Errors
/// Names the hole that cannot be filled, and why. What comes out has at most `bytes_max` bytes.
pub fn fill(json: &str, left: &BTreeMap<String, String>, bytes_max: usize) -> Result<String, FillError> {
    let (mut out, mut done) = (String::with_capacity(json.len()), 0);
    for range in texts(json) {
        out.push_str(&json[done..range.start]);
        done = range.end;
        let parts = parts(&text(&json[range])?)?;
        match &parts[..] {
            [Part::Result(reference)] => out.push_str(value(reference, left)?.get()),
            _ => {
                let mut whole = String::new();
                for part in &parts {
                    match part {
                        Part::Text(text) => whole.push_str(text),
                        Part::Variable(name) => return Err(FillError::Variable(name.clone())),
                        Part::Result(reference) => whole.push_str(&as_text(value(reference, left)?)?),
                    }
                    if whole.len() > bytes_max {
                        return Err(FillError::TooLong(bytes_max));
                    }
                }
                out.push_str(&serde_json::to_string(&whole).map_err(|error| FillError::Json(error.to_string()))?);
            }
        }
        if out.len() > bytes_max {
            return Err(FillError::TooLong(bytes_max));
        }
    }
    out.push_str(&json[done..]);
    if out.len() > bytes_max { Err(FillError::TooLong(bytes_max)) } else { Ok(out) }
}

/// A text as it is, everything else as JSON.
fn as_text(value: &RawValue) -> Result<String, FillError> {
    if value.get().starts_with('"') { text(value.get()) } else { Ok(value.get().to_owned()) }
}

/// What a reference means.
fn value<'a>(reference: &Reference, left: &'a BTreeMap<String, String>) -> Result<&'a RawValue, FillError> {
    let body = left.get(&reference.task).ok_or_else(|| FillError::Task(reference.clone()))?;
    let missing = |why: String| FillError::Missing { reference: reference.clone(), why };
    let mut value: &RawValue =
        serde_json::from_str(body).map_err(|error| missing(format!("what it left is not JSON: {error}")))?;
    let mut seen = "what it left".to_owned();
    for step in &reference.path {
        value = into(value, step).map_err(|why| missing(format!("{seen} {why}")))?;
        seen = match step {
            Step::Field(name) => format!("`{name}`"),
            Step::Place(place) => format!("`[{place}]`"),
        };
    }
    Ok(value)
}

fn into<'a>(value: &'a RawValue, step: &Step) -> Result<&'a RawValue, String> {
    /// So many fields are named to those who look for another.
    const NAMED: usize = 12;
    let place = match step {
        Step::Place(place) => Some(*place),
        Step::Field(name) => name.parse().ok(),
    };
    match (value.get().as_bytes().first(), step) {
        (Some(b'{'), Step::Field(name)) => {
            let fields: BTreeMap<String, &RawValue> =
                serde_json::from_str(value.get()).map_err(|error| error.to_string())?;
            fields.get(name).copied().ok_or_else(|| {
                let known: Vec<_> = fields.keys().take(NAMED).map(String::as_str).collect();
                format!(
                    "has no `{name}`; it has {}",
                    if known.is_empty() { "nothing".into() } else { known.join(", ") }
                )
            })
        }
        (Some(b'['), _) => {
            let Some(place) = place else { return Err("is a list, and has places: `[0]`".to_owned()) };
            let items: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(|error| error.to_string())?;
            items.get(place).copied().ok_or_else(|| format!("has {} places, and no `[{place}]`", items.len()))
        }
        (Some(b'{'), Step::Place(_)) => Err("is an object, and has fields, not places".to_owned()),
        _ => {
            let shown: String = value.get().chars().take(40).collect();
            Err(format!("is {shown}, and nothing is in it"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left() -> BTreeMap<String, String> {
        let one = r#"{"result":{"n": 12345678901234567890.10,"s":"a \"b\"","list":[1,{"x":null},"z"],"o":{"k" : 1}},
            "stdout":"out\n","stderr":"","truncated":false}"#;
        [("one".to_owned(), one.to_owned()), ("two".to_owned(), r#"{"result":"{{x}}"}"#.to_owned())].into()
    }

    #[test]
    fn holes_are_filled() {
        let table = [
            // All of a text is the value itself, with every digit and as it was written.
            (r#"{"a":"{{tasks.one.result.n}}"}"#, r#"{"a":12345678901234567890.10}"#),
            (r#"["{{tasks.one.result.s}}", 1.50]"#, r#"["a \"b\"", 1.50]"#),
            (r#""{{tasks.one.result.list}}""#, r#"[1,{"x":null},"z"]"#),
            (r#""{{tasks.one.result.list[1].x}}""#, "null"),
            (r#""{{tasks.one.result.list.2}}""#, r#""z""#),
            // Within a text it becomes text.
            (
                r#"{"a":"n={{tasks.one.result.n}}, {{tasks.one.result.o}}"}"#,
                r#"{"a":"n=12345678901234567890.10, {\"k\" : 1}"}"#,
            ),
            (r#""<{{tasks.one.result.s}}>""#, r#""<a \"b\">""#),
            (r#""{{tasks.one.stdout}}.""#, r#""out\n.""#),
            // Names of fields, and what has no holes, stay.
            (
                r#"{ "{{tasks.one.result}}" : "x\u00e9\/" , "b":[ ]}"#,
                r#"{ "{{tasks.one.result}}" : "x\u00e9\/" , "b":[ ]}"#,
            ),
            (r#""{{{{x}}""#, r#""{{x}}""#),
            (r#""\u007b{tasks.one.result.n}}""#, "12345678901234567890.10"),
            // What is filled in is not looked at again.
            (r#""{{tasks.two.result}}""#, r#""{{x}}""#),
            (r#"{"a":"\"","b":"{{tasks.two.result}}!"}"#, r#"{"a":"\"","b":"{{x}}!"}"#),
        ];
        for (json, expected) in table {
            assert_eq!(fill(json, &left(), 1_000).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let table = [
            ("{{tasks.one.result.m}}", "`{{tasks.one.result.m}}`: `result` has no `m`; it has list, n, o, s"),
            ("x{{tasks.one.result.list[9]}}", "`{{tasks.one.result.list[9]}}`: `list` has 3 places, and no `[9]`"),
            (
                "{{tasks.one.result.n.x}}",
                "`{{tasks.one.result.n.x}}`: `n` is 12345678901234567890.10, and nothing is in it",
            ),
            ("{{tasks.one.result.list.x}}", "`{{tasks.one.result.list.x}}`: `list` is a list, and has places: `[0]`"),
            ("{{tasks.one.result.o[0]}}", "`{{tasks.one.result.o[0]}}`: `o` is an object, and has fields, not places"),
            ("{{tasks.two.stdout}}", "`{{tasks.two.stdout}}`: what it left has no `stdout`; it has result"),
            ("{{tasks.six.result}}", "`{{tasks.six.result}}`: the task does not come after one that is called so"),
            ("{{x}}", "`{{x}}`: there is no such variable"),
            ("{{x", "`{{x` has no end `}}` (for two braces as they are, write `{{{{`)"),
        ];
        for (text, expected) in table {
            let json = serde_json::to_string(&[text]).unwrap();
            assert_eq!(fill(&json, &left(), 1_000).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn what_comes_out_is_bounded() {
        let json = r#"["{{tasks.one.result.list}}","{{tasks.one.result.list}} "]"#;
        let long = fill(json, &left(), 1_000).unwrap().len();
        assert!(fill(json, &left(), long).is_ok());
        assert_eq!(fill(json, &left(), long - 1), Err(FillError::TooLong(long - 1)));
        assert_eq!(fill(json, &left(), 20), Err(FillError::TooLong(20)));
    }

    #[test]
    fn references_are_found_in_values_alone() {
        let json = r#"{"{{tasks.k.result}}":["{{tasks.a.result.x}}-{{tasks.b.stdout}}",{"x":"{{{{"}]}"#;
        let found: Vec<_> = references(json).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(found, ["tasks.a.result.x", "tasks.b.stdout"]);
        assert_eq!(references(r#"["{{x}}", "{{"]"#), Ok(Vec::new()), "braces of its own");
        assert!(references(r#"["{{x}}", "{{tasks.a.result}}"]"#).is_err());
        for broken in ["\"", "\"\\", "\"{{\\", "{\"a\":\"{{tasks.a.result}}"] {
            // Nothing panics, whatever the text is.
            let _ = references(broken);
            let _ = fill(broken, &left(), 100);
        }
    }
}
