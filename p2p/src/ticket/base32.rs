//! Base32 of RFC 4648 in lower case and without padding; reads both cases. Knows nothing about tickets.

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What a text decodes to.
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// Whether encoding the bytes gives the text again: no left-over bits are set and no character is too many.
    pub(super) canonical: bool,
}

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for &byte in bytes {
        buffer = (buffer << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(buffer >> bits) as usize & 31]));
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(buffer << (5 - bits)) as usize & 31]));
    }
    text
}

/// The bytes, or the index of the first character outside the alphabet.
pub(super) fn decode(text: &str) -> Result<Decoded, usize> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for (index, character) in text.chars().enumerate() {
        let lower = character.to_ascii_lowercase();
        let value = ALPHABET.iter().position(|&letter| char::from(letter) == lower).ok_or(index)?;
        buffer = (buffer << 5) | value as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    Ok(Decoded { bytes, canonical: bits < 5 && buffer == 0 })
}
