//! The replicated record of a task: a grow-only set of facts, its merge, and what the facts mean.

mod fact;

pub use fact::{
    CancelAsked, Close, Closed, DepDone, Fact, FactKey, Leased, Outcome, Released, Reopened,
    Settled, Stable, Submitted, Verdict,
};
