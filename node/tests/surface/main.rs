//! What users and programs meet, the API and the command line, in front of a node that is only pretended: every bad input gets a
//! clear answer, every answer its exit code, and the node lives on. Knows nothing of scheduling.

mod api;
mod cli;
mod events;
mod fake;
mod hostile;
mod metrics;
mod stats;
