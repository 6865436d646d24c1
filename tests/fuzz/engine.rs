//! Changed copies of examples, from a seed: the same seed gives the same copies. Knows nothing of what they mean.

/// Numbers on which lengths and counts break.
const NUMBERS: [u64; 14] =
    [0, 1, 2, 0x17, 0x18, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];
/// Pieces that parsers look for.
const WORDS: [&[u8]; 24] = [
    b"\0",
    b"\xff",
    b"\r\n",
    b"\r\n\r\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\u0000",
    b":",
    b",",
    b"1e999",
    b"-",
    b"null",
    b"true",
    b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xbf",
    b"\x9f",
    b"\x5f",
    b"\xc0\xaf",
    b"../",
    b"%00",
    b"rc1",
];
/// No copy is longer.
const BYTES_MAX: usize = 16 * 1024;

/// Makes one copy after the other.
pub struct Engine {
    state: u64,
    examples: Vec<Vec<u8>>,
    copy: Vec<u8>,
}

impl Engine {
    pub fn new(seed: u64, examples: Vec<Vec<u8>>) -> Self {
        Self { state: seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15), examples, copy: Vec::new() }
    }

    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.random() % bound as u64) as usize }
    }

    /// The next copy: of an example, with one to a dozen changes; now and then bytes without any example.
    pub fn next(&mut self) -> &[u8] {
        let which = self.below(self.examples.len());
        self.copy.clone_from(&self.examples[which]);
        if self.below(50) == 0 {
            let length = self.below(200);
            self.copy = (0..length).map(|_| self.random() as u8).collect();
        }
        let changes = 1 << self.below(4);
        for _ in 0..changes {
            self.change();
        }
        self.copy.truncate(BYTES_MAX);
        &self.copy
    }

    fn change(&mut self) {
        let (at, end) = (self.below(self.copy.len() + 1), self.below(self.copy.len() + 1));
        let (from, to) = (at.min(end), at.max(end));
        match self.below(12) {
            0 => {
                let bit = self.below(8);
                if let Some(byte) = self.copy.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            1 | 2 => {
                let value = self.random() as u8;
                if let Some(byte) = self.copy.get_mut(at) {
                    *byte = value;
                }
            }
            3 => {
                let step = self.below(35) as u8;
                if let Some(byte) = self.copy.get_mut(at) {
                    *byte = byte.wrapping_add(step).wrapping_sub(17);
                }
            }
            4 => {
                let to = to.min(from + 64);
                self.copy.drain(from..to);
            }
            5 => {
                let piece = self.copy[from..to.min(from + 256)].to_vec();
                self.put(at, &piece);
            }
            6 => {
                let word = WORDS[self.below(WORDS.len())];
                self.put(at, word);
            }
            7 | 8 => {
                // A number in place of what was there, in one of the widths and orders of bytes.
                let number = NUMBERS[self.below(NUMBERS.len())];
                let width = 1 << self.below(4);
                let bytes = number.to_be_bytes();
                let mut bytes = bytes[8 - width..].to_vec();
                if self.below(2) == 0 {
                    bytes.reverse();
                }
                for (offset, byte) in bytes.into_iter().enumerate() {
                    if let Some(place) = self.copy.get_mut(at + offset) {
                        *place = byte;
                    }
                }
            }
            9 => self.copy.truncate(at),
            10 => {
                // The end of another example.
                let other = self.below(self.examples.len());
                let other = &self.examples[other];
                let tail = other[at.min(other.len())..].to_vec();
                self.copy.truncate(at);
                self.copy.extend_from_slice(&tail);
            }
            _ => {
                // The same again and again.
                let piece = self.copy[from..to.min(from + 16)].to_vec();
                let times = self.below(200);
                self.put(at, &piece.repeat(times));
            }
        }
    }

    fn put(&mut self, at: usize, piece: &[u8]) {
        let room = BYTES_MAX.saturating_sub(self.copy.len());
        let piece = &piece[..piece.len().min(room)];
        self.copy.splice(at..at, piece.iter().copied());
    }
}
