//! Deliberate faults in the rules, one at a time: whatever breaks a rule must be seen by some run.
//!
//! A mutation is a change of the scheduler's text. The sources stay as they are: [`weave`] makes a copy with all mutations in it,
//! each behind a switch, builds that once, and [`hunt`] (in the copy) turns them on one after the other and looks for the first run
//! that notices. What is measured is kept in `measured.txt`.

mod acting;
mod crashes;
mod facts;
mod flows;
mod hearing;
pub mod hunt;
pub mod measured;
mod model;
mod order;
mod owners;
mod stragglers;
mod switch;
pub mod weave;

pub use measured::Measured;

use crate::class::Class;
use std::fmt;

/// A change of the scheduler that breaks a rule.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// What is different, in words.
    pub name: &'static str,
    /// The rules of PROTOCOL.md that it breaks, by number.
    pub rules: &'static str,
    /// The runs that are to notice.
    pub place: Place,
    /// The changes.
    pub edits: &'static [Edit],
}

/// One change of one file.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    /// The file, below `scheduler/src`.
    pub file: &'static str,
    /// Text that is there exactly once.
    pub find: &'static str,
    /// What to put in its place; [`weave::SWITCH`] is true while the mutation is on, and the text means the same as before while it
    /// is off.
    pub with: &'static str,
}

/// Where a mutation is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Seeds of a class.
    Class(Class),
    /// Seeds of a scene.
    Scene(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(class) => f.pad(class.word()),
            Self::Scene(name) => f.pad(name),
        }
    }
}

/// Every mutation, the model's first. Its place in the list is its number.
#[must_use]
pub fn all() -> Vec<Mutation> {
    [
        model::ALL,
        hearing::ALL,
        facts::ALL,
        acting::ALL,
        owners::ALL,
        flows::ALL,
        crashes::ALL,
        order::ALL,
        stragglers::ALL,
    ]
    .concat()
}

/// Writes a table of mutations: a name, the rules, where to look, and the changes.
macro_rules! mutations {
    ($($name:literal breaks $rules:literal in $place:expr => { $($file:literal: $find:literal => $with:literal;)+ })+) => {
        pub(super) const ALL: &[crate::mutation::Mutation] = &[$(
            crate::mutation::Mutation {
                name: $name,
                rules: $rules,
                place: $place,
                edits: &[$(crate::mutation::Edit { file: $file, find: $find, with: $with },)+],
            },
        )+];
    };
}
use mutations;
