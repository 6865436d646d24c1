//! The simulator's eyes: each rule of the scheduler is broken in turn, and some run must notice; each trace that is kept must fail
//! without the rule that it is about.

use rc_sim::mutation::{Measured, all, weave};
use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn every_broken_rule_is_noticed() {
    let program = weave::build().unwrap();
    for what in ["hunt", "hunt-traces"] {
        let out = Command::new(&program).arg(what).output().unwrap();
        let told = String::from_utf8_lossy(&out.stdout);
        println!("{told}");
        assert!(out.status.success(), "{what}:\n{told}{}", String::from_utf8_lossy(&out.stderr));
    }
}

#[test]
fn every_mutation_has_its_own_name_and_was_measured() {
    let mutations = all();
    let names: BTreeSet<_> = mutations.iter().map(|mutation| mutation.name).collect();
    assert_eq!(names.len(), mutations.len());
    for mutation in &mutations {
        assert!(Measured::of(mutation).is_some(), "“{}” in {} is not in measured.txt", mutation.name, mutation.place);
    }
}
