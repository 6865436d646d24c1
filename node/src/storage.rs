//! What this device must not forget: the log of task entries, and a few named cells.
//!
//! Values are opaque bytes; this module knows neither tasks nor facts, and reads no clock.
//!
//! # How
//!
//! An append-only log in numbered segments (`0000000001.log`; the bytes: `frame`). A commit appends its frames in one
//! write and one sync; it is whole if its last frame says so, otherwise it never happened. In memory there is one small
//! entry per task: where its newest frame is. Each frame names the one before it, so a task is read without knowing more.
//! `compact` copies what lives out of the oldest segment; `recover` reads everything once at the start.
//!
//! # Promises
//!
//! - After [`Storage::commit`] or [`Event::Durable`], a crash or a power cut loses nothing of it.
//! - The torn end of the log is cut and reported. Anything else unreadable is reported, by task and key if only a value
//!   is hurt, and the rest is served. A bit flipped in the very last commit cannot be told from a torn one: the commit
//!   is cut, and its entries are named in the report.
//! - A full disk refuses new records as a whole. Everything else goes on: reads, restarts (they are counted in a file that never
//!   grows, see `Counter`), and (from a reserve) removals.
//! - After any other write error nothing is written until the next open, for nobody knows what is on the disk.
//! - A store of a later format version is refused by name and left alone.
//!
//! # Bounds
//!
//! 33 bytes of memory per slot of a hash table, a slot or two per task (10,000 tasks: 0.5 MB; 1,000,000 settled ones: 69 MB);
//! cells in full; 64 KiB per compaction step; 16 open files. On disk at most twice the live bytes and three segments. Without
//! a commit no thread wakes.
//!
//! # Why not a library
//!
//! Measured on one machine with two cores (ext4 on a virtual disk, raw write + fdatasync 120 µs), entries of 150 bytes,
//! each commit synced, release build. *Disk bytes* are those of the block device for a task of 5 entries in 5 commits,
//! with 1, 20 and 200 tasks sharing each commit. *Loaded* is 100,000 tasks of 5 entries.
//!
//! | | this log | fjall 3.1 | redb 4.5 |
//! |---|---|---|---|
//! | commit of 1 entry, p50 / p99 | 0.11 / 0.23 ms | 0.09 / 0.18 ms | 0.27 / 0.47 ms |
//! | of 10 | 0.16 / 0.24 ms | 0.15 / 0.32 ms | 0.34 / 0.52 ms |
//! | of 100 | 0.25 / 0.41 ms | 0.25 / 2.24 ms | 0.54 / 0.93 ms |
//! | of 1000 | 0.69 / 1.6 ms | 1.15 / 3.9 ms | 1.95 / 2.8 ms |
//! | disk bytes per task (1 / 20 / 200) | 23.0k / 3.0k / 1.2k | 71.7k / 3.0k / 2.0k | 187.8k / 20.0k / 5.6k |
//! | bytes written per task while loading | 1.0k | 2.8k | 1.6k |
//! | resident memory, loaded | 7.4 MB | 65 MB | 7.7 MB |
//! | open, and open + read everything | 0.15, 0.67 s | 0.09, 0.29 s | 0.00, 0.08 s |
//! | size of an empty store | 1 MiB | 64 MiB reserved | 1 MiB |
//! | background threads; wake-ups when idle | 0; 0 | 1; 0 | 0; 0 |
//! | build with its dependencies, two cores | 5 s | 18 s | 12 s |
//! | one bit flipped in the middle | named, the rest served | 51 of 100 gone, open says nothing | wrong value served, unnoticed |
//! | after the first ENOSPC | removals go on and give space back | all writes refused, removals too | all writes refused, removals too |
//!
//! SQLite 3.54 (WAL, `synchronous=FULL`, a table without row ids) was measured beside this log in another run, on a machine that was
//! busy with other work, where one sync took 4 ms; bytes are those that the process caused (`/proc/self/io`):
//!
//! | | this log | SQLite |
//! |---|---|---|
//! | commit of 1 entry, p50 | 4.1 ms | 6.4 ms |
//! | of 10, 100, 1000 | 4.4, 6.6, 8.4 ms | 4.8, 7.4, 7.9 ms |
//! | bytes per task (1 / 20 / 200) | 21.5k / 2.0k / 1.1k | 60.7k / 15.3k / 6.0k |
//! | bytes written per task while loading | 1.1k | 5.6k |
//! | resident memory, loaded | 7.1 MB | 6.5 MB |
//! | open, and open + read everything | 0.31, 1.3 s | 0.00, 0.17 s |
//! | one bit flipped anywhere in the file | named, the rest served | of 100: 74 wrong values served, 7 with rows missing, 3 refused |
//!
//! fjall is as fast and as sparing in bulk, redb reads fastest at the start. The last two lines decide: a flipped bit must
//! be found and named, and a full disk must keep working, so either library would need a checksum and a reopening layer
//! of ours around it; so would SQLite. What the home cluster does most, small commits, also wears the flash three times (fjall,
//! SQLite) and eight times (redb) less here.

mod batch;
mod chain;
mod compact;
mod counter;
mod error;
mod frame;
mod index;
mod lock;
mod options;
mod recover;
mod report;
mod scan;
mod segment;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use batch::{BATCH_BYTES_MAX, Batch, KEY_BYTES_MAX, LimitError, TaskKey, VALUE_BYTES_MAX};
pub use chain::TaskRecord;
pub use counter::Counter;
pub use error::{CommitError, OpenError, ReadError};
pub(crate) use frame::hear;
pub use options::{Options, Usage};
pub use report::{Cut, DAMAGE_LISTED_MAX, Damage, Damaged, Report};
pub use store::Storage;
pub use writer::{Event, Numbered, SubmitError, Writer};
