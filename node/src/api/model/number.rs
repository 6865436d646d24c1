//! Numbers and texts of a request, checked against their limits: fractions become thousandths, parts per million or bytes, once.
//! Every refusal names the field and what would have been accepted.

use rc_scheduler::Span;

/// The longest time that a request may name, seconds: a year.
pub const SECONDS_MAX: f64 = 31_536_000.0;

/// A request that makes no sense. Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {message}")]
pub struct Invalid {
    /// Where, e.g. `requirements.min_memory_gb`.
    pub field: String,
    /// What is wrong, and what is accepted.
    pub message: String,
    /// It would make sense if it were shorter.
    pub too_large: bool,
}

impl Invalid {
    /// Something is wrong with `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), too_large: false }
    }

    /// Something is too long.
    pub fn too_large(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { too_large: true, ..Self::new(field, message) }
    }

    /// The same, of an element of a list.
    #[must_use]
    pub fn at(mut self, index: usize) -> Self {
        self.field = format!("[{index}].{}", self.field);
        self
    }
}

impl Invalid {
    /// The same, of an element of a list called `tasks`.
    #[must_use]
    pub fn of_tasks(mut self, index: usize) -> Self {
        self.field = format!("tasks[{index}].{}", self.field);
        self
    }
}

/// `value × scale` as an integer, the nearest; `value` must be within `0..=max`.
pub(super) fn scaled(field: &str, value: Option<f64>, max: f64, scale: f64) -> Result<Option<u64>, Invalid> {
    let Some(value) = value else { return Ok(None) };
    if !(0.0..=max).contains(&value) {
        return Err(Invalid::new(field, format!("{value} is out of range; allowed is 0 to {max}")));
    }
    // In range, so the conversion cannot saturate: every `max × scale` here is below 2^63.
    Ok(Some((value * scale).round() as u64))
}

/// As [`scaled`], for a target of 32 bits.
pub(super) fn scaled_u32(field: &str, value: Option<f64>, max: f64, scale: f64) -> Result<Option<u32>, Invalid> {
    let wide = scaled(field, value, max, scale)?;
    wide.map(|value| {
        u32::try_from(value).map_err(|_| Invalid::new(field, format!("{value} is out of range; at most {max}")))
    })
    .transpose()
}

/// A time in seconds, at least a millisecond if `positive`.
pub(super) fn seconds(field: &str, value: Option<f64>, positive: bool) -> Result<Option<Span>, Invalid> {
    let micros = scaled(field, value, SECONDS_MAX, 1_000_000.0)?;
    match micros {
        Some(micros) if positive && micros < 1_000 => {
            Err(Invalid::new(field, format!("must be more than zero seconds, and at most {SECONDS_MAX}")))
        }
        micros => Ok(micros.map(Span)),
    }
}

/// A text of at least one and at most `max` bytes without control characters.
pub(super) fn text(field: &str, value: String, max: usize) -> Result<String, Invalid> {
    if value.is_empty() {
        return Err(Invalid::new(field, "must not be empty"));
    }
    if value.len() > max {
        return Err(Invalid::new(field, format!("has {} bytes; allowed are {max}", value.len())));
    }
    if value.chars().any(char::is_control) {
        return Err(Invalid::new(field, "must not contain control characters"));
    }
    Ok(value)
}

/// A list of at most `max` such texts.
pub(super) fn texts<C: FromIterator<String>>(field: &str, values: Vec<String>, max: usize) -> Result<C, Invalid> {
    count(field, values.len(), max)?;
    values.into_iter().map(|value| text(field, value, super::request::WORD_BYTES_MAX)).collect()
}

/// At most `max` entries.
pub(super) fn count(field: &str, len: usize, max: usize) -> Result<(), Invalid> {
    if len > max {
        return Err(Invalid::new(field, format!("has {len} entries; allowed are {max}")));
    }
    Ok(())
}

/// One of a fixed set of words.
pub(super) fn word<T: Copy>(
    field: &str,
    value: &str,
    all: &[T],
    from_word: impl Fn(&str) -> Option<T>,
    name: impl Fn(T) -> &'static str,
) -> Result<T, Invalid> {
    from_word(value).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|value| name(*value)).collect();
        Invalid::new(field, format!("{value:?} is unknown; allowed are {}", names.join(", ")))
    })
}
