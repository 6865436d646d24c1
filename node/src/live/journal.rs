//! What one attempt wrote, in the order in which it did: the last of it, up to a bound. A place in it is the number of bytes before it,
//! both streams together, so that a reader can go on elsewhere. Knows nothing of attempts.

use crate::handlers::Stream;
use std::collections::VecDeque;

/// Longest piece; small writes to one stream grow together up to here.
pub(super) const PIECE_BYTES_MAX: usize = 8 * 1024;
/// What a piece costs beside its bytes.
const PIECE_COST: usize = 64;

/// Some bytes of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Bytes of both streams before it.
    pub(super) at: u64,
    pub(super) stream: Stream,
    /// Bytes of this stream before it.
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

impl Piece {
    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }

    const fn cost(&self) -> usize {
        self.bytes.len() + PIECE_COST
    }

    /// The part of it from a place on.
    fn from(&self, place: u64) -> Self {
        let skip = place.saturating_sub(self.at);
        // Never beyond its end: the caller has looked.
        let bytes = self.bytes[usize::try_from(skip).unwrap_or(usize::MAX).min(self.bytes.len())..].to_vec();
        Self { at: self.at + skip, stream: self.stream, offset: self.offset + skip, bytes }
    }
}

/// The last that was written.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pieces: VecDeque<Piece>,
    cost: usize,
    end: u64,
    written: [u64; 2],
}

const fn index(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

impl Journal {
    /// What it costs in memory, bytes.
    pub(super) const fn cost(&self) -> usize {
        self.cost
    }

    /// The place after the last byte.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Adds what was just written.
    pub(super) fn write(&mut self, stream: Stream, chunk: &[u8]) {
        for part in chunk.chunks(PIECE_BYTES_MAX) {
            let (at, offset) = (self.end, self.written[index(stream)]);
            self.append(Piece { at, stream, offset, bytes: part.to_vec() });
        }
    }

    /// Adds what another device has of it; what is here already is left out, and there may be a gap before it.
    pub(super) fn take(&mut self, piece: Piece) {
        // No device writes so much; who says so lies, and shall not make what follows impossible.
        let absurd = piece.at.max(piece.offset) > 1 << 60 || piece.bytes.len() > PIECE_BYTES_MAX;
        if !absurd && piece.end() > self.end {
            let place = self.end;
            self.append(if piece.at < place { piece.from(place) } else { piece });
        }
    }

    fn append(&mut self, piece: Piece) {
        self.end = piece.end();
        self.written[index(piece.stream)] = piece.offset + piece.bytes.len() as u64;
        if let Some(last) = self.pieces.back_mut()
            && last.stream == piece.stream
            && last.end() == piece.at
            && last.bytes.len() + piece.bytes.len() <= PIECE_BYTES_MAX
        {
            self.cost += piece.bytes.len();
            last.bytes.extend_from_slice(&piece.bytes);
            return;
        }
        self.cost += piece.cost();
        self.pieces.push_back(piece);
    }

    /// Drops the oldest until it costs at most so much.
    pub(super) fn trim(&mut self, cost_max: usize) {
        while self.cost > cost_max
            && let Some(piece) = self.pieces.pop_front()
        {
            self.cost -= piece.cost();
        }
    }

    /// What there is from a place on, at most about so many bytes; begins later if that is gone.
    pub(super) fn read(&self, from: u64, bytes_max: usize) -> Vec<Piece> {
        let first = self.pieces.partition_point(|piece| piece.end() <= from);
        let mut bytes = 0;
        let mut found = Vec::new();
        for piece in self.pieces.iter().skip(first) {
            if bytes >= bytes_max {
                break;
            }
            bytes += piece.bytes.len();
            found.push(if piece.at < from { piece.from(from) } else { piece.clone() });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Stream::{Stderr, Stdout};

    fn text(pieces: &[Piece]) -> String {
        pieces.iter().map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned()).collect()
    }

    #[test]
    fn reading_goes_on_anywhere_and_order_is_kept() {
        let mut journal = Journal::default();
        for (stream, chunk) in [(Stdout, "ab"), (Stdout, "cd"), (Stderr, "ef"), (Stdout, "gh")] {
            journal.write(stream, chunk.as_bytes());
        }
        let all = journal.read(0, 100);
        assert_eq!((text(&all), all.len(), journal.end()), ("abcdefgh".to_owned(), 3, 8));
        for from in 0..=8 {
            let rest = journal.read(from, 100);
            assert_eq!(text(&rest), "abcdefgh"[usize::try_from(from).unwrap()..]);
            assert!(rest.first().is_none_or(|piece| piece.at == from));
        }
        assert_eq!(all[2], Piece { at: 6, stream: Stdout, offset: 4, bytes: b"gh".to_vec() });
        assert_eq!(text(&journal.read(3, 1)), "d");
    }

    #[test]
    fn the_oldest_goes_and_places_stay() {
        let mut journal = Journal::default();
        for n in 0..1000_u32 {
            journal.write(if n % 2 == 0 { Stdout } else { Stderr }, format!("{n:04}").as_bytes());
            journal.trim(10 * (4 + PIECE_COST));
            assert!(journal.cost() <= 10 * (4 + PIECE_COST));
        }
        let rest = journal.read(0, 1 << 20);
        assert_eq!((rest[0].at, rest[0].offset, rest.len()), (4 * 990, 4 * 495, 10));
        assert_eq!(text(&rest[9..]), "0999");
        let mut long = Journal::default();
        long.write(Stdout, &vec![b'x'; 3 * PIECE_BYTES_MAX + 1]);
        assert_eq!(long.read(0, usize::MAX).len(), 4);
    }

    #[test]
    fn a_copy_takes_each_byte_once_and_shows_what_it_missed() {
        let mut journal = Journal::default();
        let piece = |at, offset, text: &str| Piece { at, stream: Stdout, offset, bytes: text.as_bytes().to_vec() };
        for taken in [piece(0, 0, "abc"), piece(0, 0, "abcde"), piece(1, 1, "bc"), piece(9, 7, "xyz")] {
            journal.take(taken);
        }
        let read = journal.read(0, 100);
        assert_eq!((text(&read), journal.end()), ("abcdexyz".to_owned(), 12));
        assert_eq!(read[1].at, 9);
        journal.take(piece(u64::MAX - 2, 0, "z"));
        journal.take(piece(u64::MAX - 2, 0, "beyond every number"));
        journal.take(piece(0, u64::MAX, "beyond every number"));
        journal.take(piece(20, 20, &"z".repeat(PIECE_BYTES_MAX + 1)));
        assert_eq!(journal.end(), 12);
    }
}
