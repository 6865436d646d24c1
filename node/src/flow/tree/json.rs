//! JSON as a tree. Each value is read as the part of the text that it is, which is where its place comes from.

use super::{Budget, Field, Kind, Lines, Node, Refused, no_doubles};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

pub(super) fn read(text: &str) -> Result<Node, Refused> {
    let lines = Lines::new(text);
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| {
        let place = super::Place { line: error.line().max(1), column: error.column().max(1) };
        let said = error.to_string();
        let what = said.split(" at line ").next().unwrap_or(&said);
        Refused::new(place, format!("is not JSON: {what}"))
    })?;
    Reader { lines: &lines, budget: Budget::default() }.node(raw, 0)
}

struct Reader<'a> {
    lines: &'a Lines<'a>,
    budget: Budget,
}

impl Reader<'_> {
    fn node(&mut self, raw: &RawValue, depth: usize) -> Result<Node, Refused> {
        let place = self.place(raw.get());
        self.budget.take(place, depth)?;
        let broken = |error: serde_json::Error| Refused::new(place, format!("is not JSON: {error}"));
        let kind = match raw.get().as_bytes().first() {
            Some(b'{') => {
                let Pairs(pairs) = serde_json::from_str(raw.get()).map_err(broken)?;
                let mut fields = Vec::with_capacity(pairs.len().min(1_024));
                for (name, value) in pairs {
                    // Of a name only its value's place is known, which comes right after it.
                    let value = self.node(value, depth + 1)?;
                    fields.push(Field { place: value.place, name: name.into_owned(), value });
                }
                no_doubles(&fields)?;
                Kind::Map(fields)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(broken)?;
                Kind::List(items.into_iter().map(|item| self.node(item, depth + 1)).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Kind::Text(serde_json::from_str(raw.get()).map_err(broken)?),
            _ => Kind::Scalar(serde_json::from_str(raw.get()).map_err(broken)?),
        };
        Ok(Node { place, kind })
    }

    fn place(&self, part: &str) -> super::Place {
        self.lines.of((part.as_ptr() as usize).saturating_sub(self.lines.text.as_ptr() as usize))
    }
}

/// The fields of an object in their order.
struct Pairs<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
