//! The form of messages and facts on links and on disk: CBOR arrays, each with the number of its kind first. Decoding bounds what it
//! accepts; a fact of an unknown kind is kept as bytes, an unknown message is an error that its receiver counts and drops.

mod cbor;
mod fact;
mod message;

pub use fact::{decode_fact, encode_fact, write_fact};
pub use message::{decode, decode_record, encode, encode_record};

use alloc::vec::Vec;
use core::fmt;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why bytes are no message or fact. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WireError {
    /// Not CBOR of the expected shape.
    Malformed,
    /// A kind of message that this version does not know.
    UnknownMessage(u8),
    /// A list or text longer than allowed.
    TooLarge,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a message of this protocol"),
            Self::UnknownMessage(kind) => write!(f, "message kind {kind} is not known here"),
            Self::TooLarge => f.write_str("a list or text is longer than allowed"),
        }
    }
}

impl core::error::Error for WireError {}

fn to_cbor<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    let written = ciborium::into_writer(value, &mut bytes);
    debug_assert!(written.is_ok(), "writing plain data to memory cannot fail");
    bytes
}

fn from_cbor<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    // Longer texts and bytes are read in parts. The reader's own buffer is sixteen times as long, and to clear it costs more than to
    // read most messages.
    ciborium::de::from_reader_with_buffer(bytes, &mut [0; 256]).map_err(|_| WireError::Malformed)
}

/// The CBOR form of a task's specification, the one its id is a hash of.
#[must_use]
pub fn encode_spec(spec: &crate::task::TaskSpec) -> crate::bytes::Bytes {
    to_cbor(spec).into()
}

/// The specification with this CBOR form.
///
/// # Errors
/// [`WireError::Malformed`].
pub fn decode_spec(bytes: &[u8]) -> Result<crate::task::TaskSpec, WireError> {
    from_cbor(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskSpec;
    use alloc::string::String;

    #[test]
    fn texts_longer_than_the_readers_buffer_are_read_whole() {
        // Characters of two and three bytes, so that some lie across its end.
        for length in [1, 85, 86, 127, 128, 129, 2_000] {
            let text: String = "xé€".chars().cycle().take(length).collect();
            let mut spec =
                TaskSpec { task_type: text.clone(), idempotency_key: Some(text.clone()), ..TaskSpec::default() };
            spec.requirements.required_tags.insert(text);
            assert_eq!(decode_spec(&encode_spec(&spec)), Ok(spec));
        }
        assert_eq!(decode_spec(b"\x9f"), Err(WireError::Malformed));
    }
}
