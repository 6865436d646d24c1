//! What happens here and is told to people and programs while they listen: a bounded ring of the last events, from which a listener
//! that was away goes on, and learns how many it has missed.
//!
//! As long as nobody has listened for a while, events are counted and nothing else: no memory, no work. Knows nothing of HTTP.

mod reader;
mod ring;
mod row;

pub use reader::{Batch, EventReader};
pub use ring::EventLog;
pub use row::{EventId, EventKind, EventRow};
