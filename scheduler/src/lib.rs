//! The pure core of rc-node: a deterministic state machine that decides who keeps, leases, runs and settles a task.
//!
//! It reads no clock, no disk and no network, and has no randomness but a seed: everything comes in as an [`Input`] with the time
//! at which it happened, and goes out as an [`Effect`]. `PROTOCOL.md` beside this crate states the rules; the code names them by number.
#![no_std]

extern crate alloc;

mod blob;
mod bytes;
mod config;
mod core;
mod device;
mod disk;
mod effect;
mod entry;
mod guardian;
mod handler;
mod holder;
mod id;
mod input;
mod invariant;
mod keeper;
mod member;
mod message;
mod placement;
mod queue;
mod record;
mod rng;
mod session;
mod task;
mod time;
mod timers;
mod view;
mod why;
pub mod wire;

pub use crate::core::{Counters, Scheduler};
pub use blob::{BLOBS_PER_TASK_MAX, BlobHash, BlobRef, ParseHashError};
pub use bytes::Bytes;
pub use config::Config;
pub use device::{Blocked, Capacity, DeviceRecord, OVERLOAD_LOOKS, OVERLOAD_PPM, TEXT_BYTES_MAX, WhyNot};
pub use effect::{BatchFound, Effect, Entry, Event, Output, Refusal, Reply, Start, StopReason, Tomb};
pub use entry::LiveState;
pub use handler::{Restore, RestoreError};
pub use id::{BatchId, DeviceId, Epoch, ID_CHARS, Incarnation, ParseIdError, TaskId, Term};
pub use input::{AttemptEvent, Command, CommandId, Durable, Input, NewTask};
pub use invariant::Violation;
pub use member::{Member, Members};
pub use message::*;
pub use placement::{
    Candidate, Contention, Demand, GB_BYTES, PPM, Pick, QUEUE_MAX, Remedy, Row, Supply, Terms, Unmet, contention,
    explain, fits, pick, rank, refusal, score, unmet, view_hash,
};
pub use record::{
    CancelAsked, Close, Closed, DepDone, Fact, FactKey, Grounds, Leased, Merged, Outcome, Record, Released, Reopened,
    Settled, Stable, State, Submitted, Verdict,
};
pub use task::{
    AFTER_MAX, BATCH_TASKS_MAX, Backoff, BatchPlace, CRASH_LIMIT_MAX, DependencyGroup, ErrorClass, PAYLOAD_BYTES_MAX,
    Priority, Reason, Requirements, RetryPolicy, Role, SPEC_BYTES_MAX, SpecError, Status, TaskSpec, USES_MAX,
    dependency_groups,
};
pub use time::{Mono, Now, Span};
pub use view::{EndedAsk, Liveness, PeerView, View};
pub use why::Explained;
