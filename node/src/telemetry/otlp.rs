//! Spans of tasks for a collector that speaks OTLP, if the owner names one: by HTTP, in JSON, with what is in the program already.
//!
//! The device that accepted a task tells all of it, from the record, when the end may be told: the attempts of other devices are in it.
//! Never waits and never holds anything up: what the collector does not take in time is dropped and counted.

mod send;
mod spans;

pub use send::{BadCollector, Collector, Exporter};
pub use spans::Span;
pub(crate) use spans::{of_submit, of_task};
