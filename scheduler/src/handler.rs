//! What users of this device ask for, and what the device itself reports: one file for each.

mod batch;
mod capacity;
mod query;
mod reopen;
mod restore;
mod submit;

pub(crate) use batch::BatchQueries;
pub(crate) use capacity::Gossiped;
pub(crate) use query::Queries;
pub use restore::{Restore, RestoreError};
pub(crate) use submit::Submits;
