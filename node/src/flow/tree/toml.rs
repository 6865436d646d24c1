//! TOML as a tree. A time is the text that it is written as.

use super::{Budget, Field, Kind, Lines, Node, Refused};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) fn read(text: &str) -> Result<Node, Refused> {
    let lines = Lines::new(text);
    let table = DeTable::parse(text).map_err(|error| {
        let place = lines.of(error.span().map_or(0, |span| span.start));
        Refused::new(place, format!("is not TOML: {}", error.message()))
    })?;
    let begin = lines.of(0);
    let mut reader = Reader { lines: &lines, budget: Budget::default() };
    Ok(Node { place: begin, kind: reader.table(table.get_ref(), 0)? })
}

struct Reader<'a> {
    lines: &'a Lines<'a>,
    budget: Budget,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Result<Kind, Refused> {
        let mut fields = Vec::with_capacity(table.len());
        for (name, value) in table {
            let place = self.lines.of(name.span().start);
            let value = self.node(value, depth + 1)?;
            fields.push(Field { place, name: name.get_ref().to_string(), value });
        }
        // The parser sorts them by name.
        fields.sort_by_key(|field| field.place);
        Ok(Kind::Map(fields))
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>, depth: usize) -> Result<Node, Refused> {
        let place = self.lines.of(value.span().start);
        self.budget.take(place, depth)?;
        let number = |value: Option<Value>| value.ok_or_else(|| Refused::new(place, "the number is out of range"));
        let kind = match value.get_ref() {
            DeValue::String(text) => Kind::Text(text.to_string()),
            DeValue::Boolean(value) => Kind::Scalar(Value::Bool(*value)),
            DeValue::Integer(integer) => {
                let parsed = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
                Kind::Scalar(number(parsed.map(Value::from))?)
            }
            DeValue::Float(float) => {
                let parsed = float.as_str().parse::<f64>().ok();
                Kind::Scalar(number(parsed.and_then(serde_json::Number::from_f64).map(Value::Number))?)
            }
            DeValue::Datetime(time) => Kind::Text(time.to_string()),
            DeValue::Array(items) => {
                Kind::List(items.iter().map(|item| self.node(item, depth + 1)).collect::<Result<_, _>>()?)
            }
            DeValue::Table(table) => self.table(table, depth)?,
        };
        Ok(Node { place, kind })
    }
}
