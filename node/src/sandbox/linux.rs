//! What Linux offers to hold a task: one file per mechanism, and what is made of them for programs and for workers.

mod landlock;
mod privilege;
mod seccomp;
mod worker;

pub use worker::{Restricted, WorkerGrants, restrict_worker};
