//! CBOR by hand, for what most of the bytes on links and disks are: written and read without building anything in between. Knows
//! definite lengths and the few types that facts are made of; what it does not know is for the general reader.

use alloc::vec::Vec;

const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const NULL: u8 = 0xf6;

/// Writes items one after the other; whoever opens an array or a map writes as many items as it said.
pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl Writer<'_> {
    fn head(&mut self, major: u8, n: u64) -> &mut Self {
        let major = major << 5;
        let bytes = n.to_be_bytes();
        match n {
            0..=0x17 => self.0.push(major | n as u8),
            0x18..=0xff => self.0.extend_from_slice(&[major | 0x18, bytes[7]]),
            0x100..=0xffff => {
                self.0.push(major | 0x19);
                self.0.extend_from_slice(&bytes[6..]);
            }
            0x1_0000..=0xffff_ffff => {
                self.0.push(major | 0x1a);
                self.0.extend_from_slice(&bytes[4..]);
            }
            _ => {
                self.0.push(major | 0x1b);
                self.0.extend_from_slice(&bytes);
            }
        }
        self
    }

    /// A whole number.
    pub(super) fn uint(&mut self, n: impl Into<u64>) -> &mut Self {
        self.head(UINT, n.into())
    }

    /// A byte string.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.head(BYTES, bytes.len() as u64).0.extend_from_slice(bytes);
        self
    }

    /// A text.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.head(TEXT, text.len() as u64).0.extend_from_slice(text.as_bytes());
        self
    }

    /// An array of so many items.
    pub(super) fn array(&mut self, items: usize) -> &mut Self {
        self.head(ARRAY, items as u64)
    }

    /// A map of one entry, the way a variant with fields is written: its name, and then what follows.
    pub(super) fn variant(&mut self, name: &str) -> &mut Self {
        self.map(1).text(name)
    }

    /// A map of so many entries.
    pub(super) fn map(&mut self, entries: usize) -> &mut Self {
        self.head(MAP, entries as u64)
    }

    /// Nothing.
    pub(super) fn null(&mut self) -> &mut Self {
        self.0.push(NULL);
        self
    }
}

/// Reads items one after the other; `None` when the next one is not what was asked for.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn head(&mut self, major: u8) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        if first >> 5 != major {
            return None;
        }
        self.0 = rest;
        let length = match first & 0x1f {
            n @ 0..=0x17 => return Some(u64::from(n)),
            n @ 0x18..=0x1b => 1 << (n - 0x18),
            _ => return None,
        };
        Some(self.take(length)?.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    /// A whole number that fits.
    pub(super) fn uint<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.head(UINT)?).ok()
    }

    /// A byte string.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.head(BYTES)?;
        self.take(usize::try_from(length).ok()?)
    }

    /// An id.
    pub(super) fn id(&mut self) -> Option<[u8; 16]> {
        self.bytes()?.try_into().ok()
    }

    /// This text.
    pub(super) fn word(&mut self, text: &str) -> Option<()> {
        let length = self.head(TEXT)?;
        (self.take(usize::try_from(length).ok()?)? == text.as_bytes()).then_some(())
    }

    /// The beginning of an array, and how many items follow.
    pub(super) fn items(&mut self) -> Option<usize> {
        usize::try_from(self.head(ARRAY)?).ok()
    }

    /// The beginning of an array of so many items.
    pub(super) fn array(&mut self, items: usize) -> Option<()> {
        (self.items()? == items).then_some(())
    }

    /// The beginning of a map of so many entries.
    pub(super) fn map(&mut self, entries: u64) -> Option<()> {
        (self.head(MAP)? == entries).then_some(())
    }

    /// The beginning of this variant.
    pub(super) fn variant(&mut self, name: &str) -> Option<()> {
        self.map(1)?;
        self.word(name)
    }

    /// Nothing.
    pub(super) fn null(&mut self) -> Option<()> {
        (self.take(1)? == [NULL]).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::to_cbor;

    #[test]
    fn numbers_and_strings_are_as_the_general_writer_writes_them() {
        for n in [0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let mut bytes = Vec::new();
            Writer(&mut bytes).uint(n);
            assert_eq!(bytes, to_cbor(&n));
            assert_eq!(Reader(&bytes).uint(), Some(n));
            assert_eq!(Reader(&bytes).uint::<u8>().map(u64::from), u8::try_from(n).ok().map(u64::from));
            assert_eq!(Reader(&bytes[..bytes.len() - 1]).uint::<u64>(), None);
        }
        for length in [0, 23, 24, 300] {
            let (data, mut bytes) = (alloc::vec![7; length], Vec::new());
            Writer(&mut bytes).bytes(&data);
            assert_eq!(bytes, to_cbor(&crate::bytes::Bytes::from(data.clone())));
            assert_eq!(Reader(&bytes).bytes(), Some(&data[..]));
            assert_eq!(Reader(&bytes).uint::<u64>(), None);
        }
    }
}
