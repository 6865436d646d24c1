//! References to large data. The core carries them as a part of what was asked and reads nothing into them: the bytes themselves travel
//! and are kept elsewhere, and must be on a disk before a fact that names them (rule 31).

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// Most blobs that one task names beside its payload.
pub const BLOBS_PER_TASK_MAX: usize = 64;

/// The blake3 hash of a blob's bytes: its address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobHash(pub [u8; 32]);

/// A blob: its address and how long it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub struct BlobRef {
    /// The address.
    #[serde(rename = "blob")]
    pub hash: BlobHash,
    /// The length, bytes.
    pub bytes: u64,
}

/// Why a text is no hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseHashError;

impl fmt::Display for ParseHashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the hash of a blob is 64 characters of 0-9 and a-f")
    }
}

impl core::error::Error for ParseHashError {}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlobHash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        let nibble = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(ParseHashError),
        };
        let text = text.as_bytes();
        if text.len() != 64 {
            return Err(ParseHashError);
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(hash))
    }
}

impl Serialize for BlobHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_bytes(&self.0) }
    }
}

impl<'de> Deserialize<'de> for BlobHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = alloc::string::String::deserialize(deserializer)?;
            return text.parse().map_err(D::Error::custom);
        }
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        bytes.try_into().map(Self).map_err(|_| D::Error::custom("a hash has 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = BlobHash(core::array::from_fn(|n| n as u8 * 7));
        let text = hash.to_string();
        assert_eq!(text.len(), 64);
        assert_eq!(text.parse(), Ok(hash));
        for bad in ["", "00", &text[1..], &text.to_uppercase(), &text.replace('0', "g")] {
            assert_eq!(bad.parse::<BlobHash>(), Err(ParseHashError), "{bad:?}");
        }
    }
}
