//! Flows: tasks with names that come after one another and use what others left. From a file to tasks in an order in which they can be
//! handed in as one request; nothing here talks to a node.
//!
//! `tree` reads files, `hole` and `fill` are about `{{…}}`, `definition` says what a file means, `plan` fills in the variables, and
//! `graph` draws it.

pub mod definition;
pub mod fill;
pub mod graph;
pub mod hole;
mod order;
pub mod plan;
pub mod tree;

pub use definition::Definition;
pub use plan::{Plan, Planned};
pub use tree::{Format, Node, Place, Refused};
