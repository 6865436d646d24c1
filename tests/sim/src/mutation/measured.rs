//! What hunting for mutations has shown: a file of lines, one for each, kept beside this one.

use super::{Mutation, Place};
use std::fmt::Write;

/// Where a mutation was caught.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measured {
    /// The first seed that noticed; so many and one were run.
    pub seed: u64,
    /// The property that it broke.
    pub broke: String,
}

const FILE: &str = include_str!("measured.txt");

impl Measured {
    /// What was measured of a mutation where it is looked for now.
    #[must_use]
    pub fn of(mutation: &Mutation) -> Option<Self> {
        FILE.lines().find_map(|line| {
            let mut parts = line.split(" | ");
            let same = parts.next()? == mutation.name && parts.next()? == mutation.place.to_string();
            let seed = parts.next()?.parse().ok()?;
            same.then_some(Self { seed, broke: parts.next()?.to_owned() })
        })
    }

    /// The line for it.
    #[must_use]
    pub fn line(&self, mutation: &Mutation) -> String {
        format!("{} | {} | {} | {}", mutation.name, mutation.place, self.seed, self.broke)
    }
}

/// The table for people.
#[must_use]
pub fn table(found: &[(Mutation, Option<Measured>)]) -> String {
    let mut out = "| without the rule | rule | caught by | where | seeds |\n|---|---|---|---|---|\n".to_owned();
    for (mutation, measured) in found {
        let place = match mutation.place {
            Place::Class(class) => format!("class {class}"),
            Place::Scene(name) => format!("scene {name}"),
        };
        let (broke, seeds) = measured.as_ref().map_or_else(
            || ("**nothing**".to_owned(), "–".to_owned()),
            |m| (m.broke.replace('_', " "), (m.seed + 1).to_string()),
        );
        writeln!(out, "| {} | {} | {broke} | {place} | {seeds} |", mutation.name, mutation.rules)
            .expect("writing to a string cannot fail");
    }
    out
}
