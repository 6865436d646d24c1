//! Runs laid open and written down: they are the runs that they were, and those that are kept keep every promise.

use rc_sim::regression::{self, Regression};
use rc_sim::{Class, Detail, Plan, Scenario, play, run, scenes};

#[test]
fn every_trace_that_is_kept_keeps_every_promise() {
    let kept = regression::kept().unwrap();
    assert!(kept.len() >= 20, "only {} traces were found", kept.len());
    let mut broken = Vec::new();
    for (file, regression) in kept {
        if let Some(failure) = play(&regression.scenario, Detail::Hash, None).failure {
            broken.push(format!(
                "cargo sim --replay {} -v\n    {}: {}",
                file.display(),
                failure.invariant,
                failure.text
            ));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_run_that_is_laid_open_written_and_read_is_the_same_run() {
    for (seed, class) in (0..).zip(Class::ALL) {
        let plan = Plan::of_seed(seed).with_class(*class);
        let scenario = Scenario::of(&plan);
        let written = Regression::new("a test".to_owned(), "nothing".to_owned(), None, scenario).text();
        let read = Regression::parse(&written).unwrap_or_else(|error| panic!("{plan}: {error}\n{written}"));
        assert_eq!(play(&read.scenario, Detail::Hash, None).hash, run(&plan, Detail::Hash, None).hash, "{plan}");
    }
}

#[test]
fn every_scene_keeps_every_promise() {
    for scene in scenes::ALL {
        for seed in 0..20 {
            let scenario = scenes::draw(scene.name, seed).unwrap();
            if let Some(failure) = play(&scenario, Detail::Hash, None).failure {
                panic!(
                    "cargo sim --scene {} --seed {seed} -v\n    {}: {}",
                    scene.name, failure.invariant, failure.text
                );
            }
        }
    }
}

#[test]
fn a_trace_of_another_version_or_without_sense_is_refused() {
    let scenario = Scenario::of(&Plan::of_seed(1));
    let text = Regression::new("a test".to_owned(), "nothing".to_owned(), None, scenario).text();
    let refused = |from: &str, to: &str| Regression::parse(&text.replacen(from, to, 1)).unwrap_err();
    assert!(refused("version: 1", "version: 99").contains("99"));
    assert!(refused("seconds: 60", "seconds: soon").contains("integer"));
}
