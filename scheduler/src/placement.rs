//! Which device a task goes to: filter, score, pick, and the explanation of all three.
//!
//! Pure functions of the task and of gossiped device records, in integers, so that every peer that has the same records gives the
//! same answer. Knows nothing about queues, credits, leases or liveness: whoever asks puts what it knows of these into a
//! [`Candidate`].

mod candidate;
mod contention;
mod explain;
mod filter;
mod pick;
mod remedy;
mod score;
mod tie_break;
mod unmet;
mod view;

pub use candidate::Candidate;
pub use contention::{Contention, Demand, Supply, contention};
pub use explain::{Row, explain};
pub use filter::{QUEUE_MAX, fits, refusal, unmet};
pub use pick::{Pick, pick, rank};
pub use remedy::Remedy;
pub use score::{PPM, Terms, score};
pub use unmet::{GB_BYTES, Unmet};
pub use view::view_hash;
