//! Names of things: devices, tasks, incarnations, epochs. Each is a small `Copy` value with one text form.

use alloc::string::String;
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// A device: the first 128 bits of the blake3 hash of its public identity. The network proves it; the core only compares it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DeviceId(pub [u8; 16]);

/// A task: 48 bits of wall-clock milliseconds (for people's eyes only) and 80 bits of a hash of what was asked.
///
/// A keyed submit has no time in it: its first 48 bits are zero, so that the same key and spec give the same id anywhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TaskId(pub [u8; 16]);

/// Tasks that were handed in together: 48 bits of wall-clock milliseconds, zero with an idempotency key, and 80 that tell it from others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BatchId(pub [u8; 16]);

/// One life of a device between two moments at which it may have missed something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Incarnation {
    /// Times the process started; on disk before the first frame leaves.
    pub boots: u32,
    /// Times since then that it was suspended, or given up by a peer.
    pub wakes: u32,
}

/// The fencing token of a lease: `term << 32 | n << 12 | tag`, so that a later lease is greater and two granters never share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// A guardian's tenure: larger than every term it had heard of when it began.
pub type Term = u32;

impl Epoch {
    /// Builds an epoch; `n` counts leases within a term (20 bits), `tag` tells granters apart (12 bits).
    #[must_use]
    pub const fn new(term: Term, n: u32, tag: u16) -> Self {
        Self(((term as u64) << 32) | (((n & 0xf_ffff) as u64) << 12) | (tag & 0xfff) as u64)
    }

    /// The term in which the lease was granted.
    #[must_use]
    pub const fn term(self) -> Term {
        (self.0 >> 32) as u32
    }

    /// The number of the lease within its term.
    #[must_use]
    pub const fn n(self) -> u32 {
        ((self.0 >> 12) & 0xf_ffff) as u32
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{:03x}", self.term(), self.n(), self.0 & 0xfff)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.boots, self.wakes)
    }
}

impl TaskId {
    /// Puts an id together from wall milliseconds (zero for a keyed task) and a hash.
    #[must_use]
    pub fn new(wall_ms: u64, hash: &[u8; 32]) -> Self {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&wall_ms.to_be_bytes()[2..]);
        id[6..].copy_from_slice(&hash[..10]);
        Self(id)
    }

    /// The milliseconds in the id; zero for a keyed task.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        self.0[..6].iter().fold(0, |ms, byte| ms << 8 | u64::from(*byte))
    }
}

impl TaskId {
    /// The first and the last id that are written with this prefix; `None` if there are none.
    #[must_use]
    pub fn with_prefix(prefix: &str) -> Option<(Self, Self)> {
        let bound = |fill: char| -> Option<Self> {
            let mut text = String::from(prefix);
            // The first character stands for three bits only.
            let first = if fill == 'z' && prefix.is_empty() { "7" } else { "" };
            text.push_str(first);
            while text.len() < ID_CHARS {
                text.push(fill);
            }
            text.parse().ok()
        };
        Some((bound('0')?, bound('z')?))
    }
}

/// Crockford's base 32, lower case: no `i l o u`, so that an id survives being read aloud.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters in a written id.
pub const ID_CHARS: usize = 26;

/// Why a text is no id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an id is {ID_CHARS} characters of 0-9 and a-z without i, l, o, u")
    }
}

impl core::error::Error for ParseIdError {}

fn write_base32(id: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut value = u128::from_be_bytes(*id);
    let mut text = [0u8; ID_CHARS];
    for slot in text.iter_mut().rev() {
        *slot = ALPHABET[(value & 31) as usize];
        value >>= 5;
    }
    f.pad(core::str::from_utf8(&text).unwrap_or_default())
}

fn read_base32(text: &str) -> Result<[u8; 16], ParseIdError> {
    if text.len() != ID_CHARS {
        return Err(ParseIdError);
    }
    let mut value = 0u128;
    for (place, byte) in text.bytes().enumerate() {
        let digit = ALPHABET.iter().position(|c| *c == byte.to_ascii_lowercase()).ok_or(ParseIdError)?;
        if place == 0 && digit > 7 {
            return Err(ParseIdError);
        }
        value = value << 5 | digit as u128;
    }
    Ok(value.to_be_bytes())
}

macro_rules! id_traits {
    ($name:ident) => {
        /// As its text: two words compared are faster than sixteen bytes, and maps by id are looked at all the time.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                u128::from_be_bytes(self.0).cmp(&u128::from_be_bytes(other.0))
            }
        }
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_base32(&self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_base32(&self.0, f)
            }
        }
        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                read_base32(text).map(Self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.serialize_str(&alloc::format!("{self}"))
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
                } else {
                    serde_bytes::deserialize::<serde_bytes::ByteArray<16>, D>(deserializer)
                        .map(|bytes| Self(bytes.into_array()))
                }
            }
        }
    };
}

id_traits!(DeviceId);
id_traits!(TaskId);
id_traits!(BatchId);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn text_form_round_trips_and_keeps_order() {
        let low = TaskId::new(1, &[0xff; 32]);
        let high = TaskId::new(2, &[0; 32]);
        assert!(low.to_string() < high.to_string());
        assert_eq!(high.to_string().parse(), Ok(high));
        assert_eq!(TaskId([0xff; 16]).to_string(), "7zzzzzzzzzzzzzzzzzzzzzzzzz");
    }

    #[test]
    fn a_prefix_is_a_range_of_ids() {
        assert_eq!(TaskId::with_prefix(""), Some((TaskId([0; 16]), TaskId([0xff; 16]))));
        let id = TaskId([0x5a; 16]);
        let text = id.to_string();
        assert_eq!(TaskId::with_prefix(&text), Some((id, id)));
        let (first, last) = TaskId::with_prefix(&text[..5]).unwrap();
        assert!(first < id && id < last && first.to_string().starts_with(&text[..5]));
        assert!(last.to_string().starts_with(&text[..5]));
        for none in ["u", "8", "0000000000000000000000000000"] {
            assert_eq!(TaskId::with_prefix(none), None, "{none}");
        }
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        for bad in ["", "0", "8zzzzzzzzzzzzzzzzzzzzzzzzz", "0000000000000000000000000u", "00000000000000000000000000 "]
        {
            assert_eq!(bad.parse::<TaskId>(), Err(ParseIdError), "{bad:?}");
        }
    }

    #[test]
    fn a_later_lease_has_a_greater_epoch() {
        assert!(Epoch::new(1, 0, 0xfff) < Epoch::new(1, 1, 0));
        assert!(Epoch::new(1, 0xf_ffff, 0xfff) < Epoch::new(2, 0, 0));
    }
}
