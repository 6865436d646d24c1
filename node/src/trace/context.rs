//! The header `traceparent` of W3C trace context: read strictly, written in version 00.

use rc_scheduler::TaskId;
use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

/// Hexadecimal digits of a trace's and of a span's id.
const TRACE_CHARS: usize = 32;
const SPAN_CHARS: usize = 16;
/// Length of the header in version 00.
const CHARS: usize = 55;

/// A trace; never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TraceId(NonZeroU128);

/// A span within a trace; never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SpanId(NonZeroU64);

/// The text is no trace context.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a trace context is written 00-TRACE-SPAN-FLAGS: 32, 16 and 2 digits of 0-9 and a-f, no id all zeros")]
pub struct BadTraceparent;

/// A place in a trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Traceparent {
    /// The trace.
    pub trace: TraceId,
    /// The span that whoever is told this is a part of.
    pub span: SpanId,
    /// Its spans are wanted.
    pub sampled: bool,
}

impl TraceId {
    /// The id with these bits; `None` for zero.
    #[must_use]
    pub const fn new(bits: u128) -> Option<Self> {
        match NonZeroU128::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// The id that follows from a task's, so that any device can tell it.
    #[must_use]
    pub const fn of_task(task: TaskId) -> Self {
        match Self::new(u128::from_be_bytes(task.0)) {
            Some(id) => id,
            None => Self(NonZeroU128::MIN),
        }
    }

    /// Its bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0.get()
    }
}

impl SpanId {
    /// The span of a phase of a task, in an attempt or (zero) in none. The same on every device.
    #[must_use]
    pub fn of(task: TaskId, phase: &str, epoch: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("rc-node span 1");
        hasher.update(&task.0).update(&epoch.to_le_bytes()).update(phase.as_bytes());
        let mut bits = [0; 8];
        bits.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Self(NonZeroU64::new(u64::from_be_bytes(bits)).unwrap_or(NonZeroU64::MIN))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// So many digits of 0-9 and a-f; capitals are not allowed.
fn digits(text: &str, count: usize) -> Result<u128, BadTraceparent> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != count || !text.bytes().all(lower) {
        return Err(BadTraceparent);
    }
    u128::from_str_radix(text, 16).map_err(|_| BadTraceparent)
}

impl FromStr for TraceId {
    type Err = BadTraceparent;

    fn from_str(text: &str) -> Result<Self, BadTraceparent> {
        Self::new(digits(text, TRACE_CHARS)?).ok_or(BadTraceparent)
    }
}

impl FromStr for SpanId {
    type Err = BadTraceparent;

    fn from_str(text: &str) -> Result<Self, BadTraceparent> {
        let bits = digits(text, SPAN_CHARS)? as u64;
        NonZeroU64::new(bits).map(Self).ok_or(BadTraceparent)
    }
}

impl FromStr for Traceparent {
    type Err = BadTraceparent;

    fn from_str(text: &str) -> Result<Self, BadTraceparent> {
        let mut parts = text.split('-');
        let mut part = || parts.next().ok_or(BadTraceparent);
        let (version, trace, span, flags) = (part()?, part()?, part()?, part()?);
        // Later versions may say more; what they say first stays the same.
        let longer = text.len() > CHARS;
        match digits(version, 2)? {
            0xff => return Err(BadTraceparent),
            0 if longer => return Err(BadTraceparent),
            _ => {}
        }
        let sampled = digits(flags, 2)? & 1 == 1;
        Ok(Self { trace: trace.parse()?, span: span.parse()?, sampled })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_header_is_read_as_the_standard_says() {
        let read: Traceparent = GOOD.parse().unwrap();
        assert!(read.sampled);
        assert_eq!(read.to_string(), GOOD);
        let later = GOOD.replacen("00", "cc", 1);
        for (text, good) in [
            (GOOD.replace("-01", "-00").as_str(), true),
            (GOOD.replace("-01", "-03").as_str(), true),
            (later.as_str(), true),
            (format!("{later}-what-comes").as_str(), true),
            (format!("{later}what").as_str(), false),
            (format!("{GOOD}-what").as_str(), false),
            (format!("{GOOD}-").as_str(), false),
            (GOOD.replacen("00", "ff", 1).as_str(), false),
            (GOOD.to_ascii_uppercase().as_str(), false),
            (GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)).as_str(), false),
            (GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)).as_str(), false),
            (GOOD.replace("00f067aa0ba902b7", "+0f067aa0ba902b7").as_str(), false),
            (&GOOD[1..], false),
            ("", false),
            ("00-é-é-01", false),
        ] {
            assert_eq!(text.parse::<Traceparent>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn spans_have_names_of_their_own() {
        let task = TaskId([3; 16]);
        let span = SpanId::of(task, "execute", 7);
        assert_eq!(span, SpanId::of(task, "execute", 7));
        for other in
            [SpanId::of(task, "execute", 8), SpanId::of(task, "schedule", 7), SpanId::of(TaskId([4; 16]), "execute", 7)]
        {
            assert_ne!(span, other);
        }
    }
}
