//! How the store may use the disk, and how much of it it does.
//!
//! Plain values.

/// How the store uses the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes after which a new segment starts (4 KiB to 256 MiB). Smaller gives space back sooner, larger rotates less
    /// often. Default 16 MiB.
    pub segment_bytes: u32,
    /// Most bytes that the log may take; beyond, new records are refused as on a full disk. Default: no limit.
    pub bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { segment_bytes: 16 << 20, bytes_max: u64::MAX }
    }
}

/// How large the store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tasks with entries.
    pub tasks: u64,
    /// Bytes of all segments, preallocated space aside.
    pub bytes: u64,
    /// Those of them that something still needs.
    pub live_bytes: u64,
    /// Files.
    pub segments: u32,
}
