//! Worker processes: this very program again, started as `rc-node __worker KIND` when first needed, asked over a pipe, and reused
//! while warm. What runs foreign code runs there: a crash, a memory bomb or an endless loop costs one worker and never the node.
//!
//! [`WorkerPool`] is the node's side, [`serve`] the worker's, [`Frame`] what they say to each other. Knows nothing of what is
//! computed: that is between a handler and its kind of worker.

mod frame;
mod pool;
mod serve;

pub(in crate::handlers) use frame::Frame;
pub(crate) use frame::hear;
pub use pool::{PoolLimits, WorkerPool};
pub(in crate::handlers) use serve::{serve, tell};
