//! What the tasks of a period came to: how many, how well, how fast, by device or by type. From the records that the cluster keeps, each
//! task counted by one of its keepers; in bounded memory, for only sums and histograms are kept.
//!
//! Times are by the clocks of the devices that wrote them down. *Delay* is from submission to the start of the attempt that counts, with
//! earlier attempts and pauses between them; *run* is that attempt; *response* is both together.

mod ask;
mod exchange;
mod histogram;
mod row;
mod tally;

pub use ask::{StatsAsk, StatsReport};
pub(crate) use exchange::{Counter, KIND, hear};
pub use histogram::Histogram;
pub(crate) use row::EndedRow;
pub use tally::{By, Counts, Tally};
