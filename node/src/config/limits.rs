//! The owner's limits as the file has them: `battery.min = 30` below `[policy]`, or `[policy.battery]` and `min = 30`; numbers, words,
//! true and false, and lists.

use serde::{Deserialize, Deserializer, de::Error};
use std::collections::BTreeMap;

/// A value in the file; no name has more than two parts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Flag(bool),
    Number(i64),
    Text(String),
    List(Vec<String>),
    Table(BTreeMap<String, Value>),
}

impl Value {
    fn text(self) -> Option<String> {
        Some(match self {
            Self::Flag(true) => "on".to_owned(),
            Self::Flag(false) => "off".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text,
            Self::List(list) => list.join(", "),
            Self::Table(_) => return None,
        })
    }
}

/// Names with points, and values as they would be typed.
pub(super) fn flat<'de, D: Deserializer<'de>>(from: D) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    let mut flat = BTreeMap::new();
    for (name, value) in BTreeMap::<String, Value>::deserialize(from)? {
        match value {
            Value::Table(inner) => {
                for (part, value) in inner {
                    let name = format!("{name}.{part}");
                    let text = value.text().ok_or_else(|| D::Error::custom(format!("policy.{name} is a table")))?;
                    flat.insert(name, text);
                }
            }
            value => {
                flat.insert(name, value.text().unwrap_or_default());
            }
        }
    }
    Ok(Some(flat))
}
