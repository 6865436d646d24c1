//! YAML 1.2 as a tree, from the events of its parser: one document, scalars as the core schema reads them, anchors repeated within
//! bounds, and no tags of one's own.

use super::{Budget, Field, Kind, Node, Place, Refused, no_doubles};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) fn read(text: &str) -> Result<Node, Refused> {
    let mut reader = Reader { events: Parser::new_from_str(text), budget: Budget::default(), anchors: BTreeMap::new() };
    let mut document = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            Event::DocumentStart(_) if document.is_none() => {
                let first = reader.next()?;
                document = Some(reader.node(first, 0)?);
            }
            Event::DocumentStart(_) => return Err(Refused::new(place(&span.start), "there is a second document")),
            Event::StreamEnd => break,
            _ => return Err(Refused::new(place(&span.start), "is not YAML")),
        }
    }
    document.ok_or_else(|| Refused::new(Place { line: 1, column: 1 }, "the file is empty"))
}

fn place(mark: &Marker) -> Place {
    Place { line: mark.line().max(1), column: mark.col() + 1 }
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    budget: Budget,
    anchors: BTreeMap<usize, Node>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Refused> {
        let broken = |error: ScanError| Refused::new(place(error.marker()), format!("is not YAML: {}", error.info()));
        match self.events.next() {
            Some(event) => event.map_err(broken),
            None => Err(Refused::new(Place { line: 1, column: 1 }, "the file ends early")),
        }
    }

    fn node(&mut self, (event, span): (Event<'a>, Span), depth: usize) -> Result<Node, Refused> {
        let at = place(&span.start);
        self.budget.take(at, depth)?;
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if tag.as_ref().is_some_and(|tag| !tag.is_yaml_core_schema()) {
                    return Err(Refused::new(at, "tags of your own are not understood"));
                }
                let text_tag = tag.is_some_and(|tag| tag.suffix == "str");
                let plain = style == ScalarStyle::Plain && !text_tag;
                (if plain { scalar(&text) } else { Kind::Text(text.into_owned()) }, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        item => items.push(self.node(item, depth + 1)?),
                    }
                }
                (Kind::List(items), anchor)
            }
            Event::MappingStart(anchor, _) => (self.map(depth)?, anchor),
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let node = known.ok_or_else(|| Refused::new(at, "an alias stands before its anchor, or within it"))?;
                self.repeat(&node, at, depth)?;
                return Ok(Node { place: at, ..node });
            }
            _ => return Err(Refused::new(at, "is not YAML")),
        };
        let node = Node { place: at, kind };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn map(&mut self, depth: usize) -> Result<Kind, Refused> {
        let mut fields = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let at = place(&span.start);
            let name = match event {
                Event::MappingEnd => break,
                Event::Scalar(name, ..) => name.into_owned(),
                _ => return Err(Refused::new(at, "the name of a field is a text")),
            };
            let value = self.next()?;
            let value = self.node(value, depth + 1)?;
            fields.push(Field { place: at, name, value });
        }
        no_doubles(&fields)?;
        Ok(Kind::Map(fields))
    }

    /// What is repeated counts as if it were written there.
    fn repeat(&mut self, node: &Node, at: Place, depth: usize) -> Result<(), Refused> {
        self.budget.take(at, depth)?;
        match &node.kind {
            Kind::List(items) => items.iter().try_for_each(|item| self.repeat(item, at, depth + 1)),
            Kind::Map(fields) => fields.iter().try_for_each(|field| self.repeat(&field.value, at, depth + 1)),
            Kind::Scalar(_) | Kind::Text(_) => Ok(()),
        }
    }
}

/// What a scalar without quotes is: YAML 1.2, the core schema; infinities are texts, JSON has none.
fn scalar(text: &str) -> Kind {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Value::Null),
        "true" | "True" | "TRUE" => Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => Some(Value::Bool(false)),
        _ => number(text),
    };
    value.map_or_else(|| Kind::Text(text.to_owned()), Kind::Scalar)
}

fn number(text: &str) -> Option<Value> {
    let radix =
        |digits: &str, radix| i64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['+', '-']));
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8).map(Value::from);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16).map(Value::from);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok();
    }
    let float = unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let parsed = text.parse::<f64>().ok().filter(|_| float)?;
    serde_json::Number::from_f64(parsed).map(Value::Number)
}
