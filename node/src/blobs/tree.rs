//! The hash tree of a blob, cut at groups of 256 KiB: the hash of a blob is blake3's own, and the chaining values of its groups are the
//! list by which each group can be checked alone, whoever sent it. The list itself is checked against the hash first.
//!
//! blake3 is a tree of 1 KiB chunks, so the value of an aligned power of two of chunks is a node of that tree (`blake3::hazmat`). 32
//! bytes per 256 KiB: the list of 1 GiB has 128 KiB, and a wrong byte costs one group. Pure: no files, no network.

use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use rc_scheduler::{BlobHash, BlobRef};

/// The unit of checking, of sending and of reading, bytes.
pub const GROUP_BYTES: usize = 256 * 1024;
/// One entry of the list, bytes.
pub(super) const ENTRY_BYTES: usize = blake3::OUT_LEN;

/// How many groups so many bytes have; nothing at all is one empty group.
pub(super) fn groups(bytes: u64) -> u64 {
    bytes.div_ceil(GROUP_BYTES as u64).max(1)
}

/// The length of a group, bytes; 0 beyond the end.
pub(super) fn group_bytes(bytes: u64, group: u64) -> usize {
    let rest = bytes.saturating_sub(group.saturating_mul(GROUP_BYTES as u64));
    // Bounded by the size of a group, which fits.
    rest.min(GROUP_BYTES as u64) as usize
}

/// How long the list of a blob is, bytes; a blob of one group needs none.
pub(super) fn list_bytes(bytes: u64) -> u64 {
    match groups(bytes) {
        1 => 0,
        groups => groups * ENTRY_BYTES as u64,
    }
}

fn hasher(group: u64, data: &[u8]) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(group * GROUP_BYTES as u64).update(data);
    hasher
}

/// The hash of a list of at least two groups.
fn root(list: &[ChainingValue]) -> BlobHash {
    let (left, right) = list.split_at(left_of(list.len()));
    BlobHash(*merge_subtrees_root(&merge(left), &merge(right), Mode::Hash).as_bytes())
}

fn merge(list: &[ChainingValue]) -> ChainingValue {
    match list {
        [] => unreachable!("both sides of a split have a group"),
        [one] => *one,
        _ => {
            let (left, right) = list.split_at(left_of(list.len()));
            merge_subtrees_non_root(&merge(left), &merge(right), Mode::Hash)
        }
    }
}

/// The largest power of two below `groups`, which is where blake3 splits.
fn left_of(groups: usize) -> usize {
    groups.next_power_of_two() / 2
}

/// What a blob's groups are checked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tree {
    blob: BlobRef,
    /// Empty for a blob of one group.
    list: Vec<ChainingValue>,
}

impl Tree {
    /// Of a list that somebody sent or that lay on a disk; `None` if it is not this blob's.
    pub(super) fn read(blob: BlobRef, list: &[u8]) -> Option<Self> {
        if list.len() as u64 != list_bytes(blob.bytes) {
            return None;
        }
        let list: Vec<ChainingValue> =
            list.chunks_exact(ENTRY_BYTES).filter_map(|entry| entry.try_into().ok()).collect();
        (list.is_empty() || root(&list) == blob.hash).then_some(Self { blob, list })
    }

    /// The list, to be sent or stored.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.list.concat()
    }

    /// Which blob.
    pub(super) const fn blob(&self) -> BlobRef {
        self.blob
    }

    /// How many groups it has.
    pub(super) fn groups(&self) -> u64 {
        groups(self.blob.bytes)
    }

    /// Whether these are the bytes of that group.
    pub(super) fn fits(&self, group: u64, data: &[u8]) -> bool {
        if group >= self.groups() || data.len() != group_bytes(self.blob.bytes, group) {
            return false;
        }
        if self.list.is_empty() {
            return blake3::hash(data).as_bytes() == &self.blob.hash.0;
        }
        usize::try_from(group).is_ok_and(|at| hasher(group, data).finalize_non_root() == self.list[at])
    }
}

/// Builds the tree of a blob while its bytes come.
#[derive(Debug, Default)]
pub(super) struct Builder {
    list: Vec<ChainingValue>,
    bytes: u64,
    /// The hash, in case there is no second group.
    first: Option<BlobHash>,
}

impl Builder {
    /// Adds a group; every one but the last is a whole one.
    pub(super) fn push(&mut self, data: &[u8]) {
        let hasher = hasher(self.list.len() as u64, data);
        if self.list.is_empty() {
            self.first = Some(BlobHash(*hasher.finalize().as_bytes()));
        }
        if !data.is_empty() {
            self.list.push(hasher.finalize_non_root());
            self.bytes += data.len() as u64;
        }
    }

    /// Bytes so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The whole tree.
    pub(super) fn finish(mut self) -> Tree {
        let hash = if self.list.len() > 1 {
            root(&self.list)
        } else {
            self.list.clear();
            self.first.unwrap_or_else(|| BlobHash(*blake3::hash(&[]).as_bytes()))
        };
        Tree { blob: BlobRef { hash, bytes: self.bytes }, list: self.list }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|n| (n * 31 + n / 251) as u8).collect()
    }

    fn build(data: &[u8]) -> Tree {
        let mut builder = Builder::default();
        data.chunks(GROUP_BYTES).for_each(|group| builder.push(group));
        builder.finish()
    }

    #[test]
    fn the_hash_is_blake3s_own_at_every_length_where_the_tree_changes() {
        let group = GROUP_BYTES;
        for bytes in [0, 1, 1024, group - 1, group, group + 1, 2 * group, 3 * group, 5 * group + 77, 8 * group + 1] {
            let data = data(bytes);
            let tree = build(&data);
            assert_eq!(tree.blob().hash.0, *blake3::hash(&data).as_bytes(), "{bytes}");
            assert_eq!(tree.blob().bytes, bytes as u64);
            assert_eq!(Tree::read(tree.blob(), &tree.to_bytes()), Some(tree.clone()), "{bytes}");
            let mut at = 0;
            for (n, part) in data.chunks(group).enumerate() {
                assert!(tree.fits(n as u64, part));
                at += part.len();
            }
            assert_eq!(at, bytes);
        }
    }

    #[test]
    fn every_wrong_bit_is_noticed() {
        let data = data(3 * GROUP_BYTES + 9);
        let tree = build(&data);
        for at in [0, GROUP_BYTES - 1, GROUP_BYTES, data.len() - 1] {
            let mut wrong = data.clone();
            wrong[at] ^= 1;
            let group = at / GROUP_BYTES;
            let part = wrong.chunks(GROUP_BYTES).nth(group).unwrap();
            assert!(!tree.fits(group as u64, part), "{at}");
        }
        let parts: Vec<_> = data.chunks(GROUP_BYTES).collect();
        assert!(!tree.fits(1, parts[0]), "the right bytes at the wrong place");
        assert!(!tree.fits(3, &parts[3][..8]), "too short");
        assert!(!tree.fits(4, &[]), "beyond the end");
        let list = tree.to_bytes();
        for at in 0..list.len() {
            let mut wrong = list.clone();
            wrong[at] ^= 0x80;
            assert_eq!(Tree::read(tree.blob(), &wrong), None, "{at}");
        }
        assert_eq!(Tree::read(tree.blob(), &list[32..]), None);
        assert_eq!(Tree::read(BlobRef { bytes: 1, ..tree.blob() }, &list), None);
    }
}
