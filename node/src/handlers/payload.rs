//! Reading a typed payload strictly: a field of the wrong type or of an unknown name is an error that names it, because
//! a typo must not silently change a task.

use serde_json::{Map, Value};

use super::TaskError;

/// The fields of a payload that is a JSON object.
#[derive(Debug)]
pub struct Fields<'a> {
    map: Option<&'a Map<String, Value>>,
}

impl<'a> Fields<'a> {
    /// Takes a payload that may have the fields `known` and no others. `null` is an object without fields.
    ///
    /// # Errors
    /// Not an object, or a field that is not known.
    pub fn new(payload: &'a Value, known: &[&str]) -> Result<Self, TaskError> {
        let map = match payload {
            Value::Null => return Ok(Self { map: None }),
            Value::Object(map) => map,
            other => {
                return Err(TaskError::invalid(format!("payload must be an object, not {}", kind(other))));
            }
        };
        if let Some(name) = map.keys().find(|name| !known.contains(&name.as_str())) {
            let short: String = name.chars().take(64).collect();
            let hint = match known {
                [] => "this task type takes none".to_owned(),
                known => format!("known are {}", known.join(", ")),
            };
            return Err(TaskError::invalid(format!("unknown payload field `{short}`; {hint}")));
        }
        Ok(Self { map: Some(map) })
    }

    /// A field, if it is there and not `null`.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.map?.get(name).filter(|value| !value.is_null())
    }

    /// A string.
    ///
    /// # Errors
    /// There, but not a string.
    pub fn string(&self, name: &str) -> Result<Option<&'a str>, TaskError> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A boolean.
    ///
    /// # Errors
    /// There, but not a boolean.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, TaskError> {
        self.typed(name, "true or false", Value::as_bool)
    }

    /// A number of seconds that is not negative and at most `max`.
    ///
    /// # Errors
    /// There, but not such a number.
    pub fn seconds(&self, name: &str, max: f64) -> Result<Option<f64>, TaskError> {
        let Some(seconds) = self.typed(name, "a number of seconds", Value::as_f64)? else {
            return Ok(None);
        };
        if !(0.0..=max).contains(&seconds) {
            return Err(TaskError::invalid(format!("`{name}` must be between 0 and {max} seconds, not {seconds}")));
        }
        Ok(Some(seconds))
    }

    /// A list of strings.
    ///
    /// # Errors
    /// There, but something else; the element is named.
    pub fn strings(&self, name: &str) -> Result<Option<Vec<&'a str>>, TaskError> {
        let Some(list) = self.typed(name, "a list of strings", Value::as_array)? else {
            return Ok(None);
        };
        let element = |(i, v): (usize, &'a Value)| {
            v.as_str().ok_or_else(|| TaskError::invalid(format!("`{name}[{i}]` must be a string, not {}", kind(v))))
        };
        list.iter().enumerate().map(element).collect::<Result<_, _>>().map(Some)
    }

    /// An object whose values are strings.
    ///
    /// # Errors
    /// There, but something else; the entry is named.
    pub fn string_map(&self, name: &str) -> Result<Vec<(&'a str, &'a str)>, TaskError> {
        let Some(map) = self.typed(name, "an object of strings", Value::as_object)? else {
            return Ok(Vec::new());
        };
        let entry = |(k, v): (&'a String, &'a Value)| {
            let v = v.as_str().ok_or_else(|| {
                let short: String = k.chars().take(64).collect();
                TaskError::invalid(format!("`{name}.{short}` must be a string, not {}", kind(v)))
            })?;
            Ok((k.as_str(), v))
        };
        map.iter().map(entry).collect()
    }

    fn typed<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, TaskError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let wrong = || TaskError::invalid(format!("`{name}` must be {wanted}, not {}", kind(value)));
        read(value).ok_or_else(wrong).map(Some)
    }
}

/// An error for a field that must be there.
pub(super) fn missing(name: &str) -> TaskError {
    TaskError::invalid(format!("payload field `{name}` is missing"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_name_the_field_and_what_is_wrong() {
        let message = |e: TaskError| e.message;
        let err = Fields::new(&json!({"durration": 1}), &["duration"]).unwrap_err();
        assert_eq!(message(err), "unknown payload field `durration`; known are duration");
        assert_eq!(message(Fields::new(&json!([1]), &[]).unwrap_err()), "payload must be an object, not a list");

        let payload = json!({"s": 1, "n": "1", "l": ["a", 2], "m": {"k": []}, "b": 0});
        let fields = Fields::new(&payload, &["s", "n", "l", "m", "b"]).unwrap();
        assert_eq!(message(fields.string("s").unwrap_err()), "`s` must be a string, not a number");
        assert_eq!(message(fields.seconds("n", 1.0).unwrap_err()), "`n` must be a number of seconds, not a string");
        assert_eq!(message(fields.strings("l").unwrap_err()), "`l[1]` must be a string, not a number");
        assert_eq!(message(fields.string_map("m").unwrap_err()), "`m.k` must be a string, not a list");
        assert_eq!(message(fields.boolean("b").unwrap_err()), "`b` must be true or false, not a number");
        assert_eq!(fields.string("absent").unwrap(), None);
    }
}
