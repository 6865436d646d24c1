//! The deterministic simulator: many scheduler cores, one thread, virtual time, and every fault from a seed.
//!
//! A [`Plan`] names a run completely. [`run`] lives it: clients work and things break, then everything is healed and must come
//! right. What must hold is in `invariants/`, one file each, judged by what clients were told and what disks had, which the
//! [`oracle`] remembers. The simulator knows the scheduler and nothing else of the node.

pub mod balance;
pub mod class;
pub mod clock;
mod digest;
pub mod fault;
pub mod grid;
pub mod invariants;
pub mod mutation;
pub mod names;
pub mod oracle;
pub mod plan;
pub mod regression;
pub mod rng;
mod run;
pub mod scale;
pub mod scenario;
pub mod scenes;
pub mod shrink;
pub mod trace;
pub mod workload;
pub mod world;

pub use class::Class;
pub use plan::Plan;
pub use run::{Report, play, run, stage};
pub use scenario::Scenario;
pub use trace::Detail;
