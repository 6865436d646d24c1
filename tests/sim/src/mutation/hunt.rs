//! Turns mutations on, one after the other, and looks for a run that notices. Needs a simulator that was built by [`super::weave`].

use super::measured::table;
use super::switch::{WOVEN, choose};
use super::{Measured, Mutation, Place, all};
use crate::class::Class;
use crate::plan::Plan;
use crate::regression::{self, Regression};
use crate::run::{Report, play, run};
use crate::scenario::Scenario;
use crate::scenes;
use crate::shrink::shrink;
use crate::trace::Detail;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Seeds within which a mutation must be caught.
pub const SEEDS_MAX: u64 = 5_000;

/// How to hunt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hunt {
    /// Only mutations whose name contains this.
    pub only: Option<String>,
    /// Seeds for each.
    pub seeds: u64,
    /// Begin at seed 0 and print lines for `measured.txt`, as they come; else begin at the seed that is noted there.
    pub measure: bool,
    /// Look in every class and scene, to find out where a mutation shows.
    pub everywhere: bool,
    /// Shrink the run that notices and keep it among the regressions of the directory.
    pub keep: Option<PathBuf>,
}

impl Default for Hunt {
    fn default() -> Self {
        Self { only: None, seeds: SEEDS_MAX, measure: false, everywhere: false, keep: None }
    }
}

impl Hunt {
    /// Runs the hunt and prints what was found; whether every mutation was caught, and by nothing without its mutation.
    ///
    /// # Errors
    /// This is not a simulator with mutations in it, or there is no such mutation.
    pub fn go(&self) -> Result<bool, String> {
        if !WOVEN {
            return Err("this simulator has no mutations in it".to_owned());
        }
        let wanted = |mutation: &Mutation| self.only.as_ref().is_none_or(|only| mutation.name.contains(only.as_str()));
        let mutations: Vec<_> = all().into_iter().enumerate().filter(|(_, mutation)| wanted(mutation)).collect();
        if mutations.is_empty() {
            return Err("no mutation is called that".to_owned());
        }
        std::panic::set_hook(Box::new(|_| {}));
        let jobs: Vec<_> = mutations
            .iter()
            .flat_map(|(number, mutation)| self.places(mutation).into_iter().map(|place| (*number, *mutation, place)))
            .collect();
        let next = AtomicUsize::new(0);
        let found: Mutex<BTreeMap<usize, (Mutation, Option<Measured>)>> = Mutex::new(BTreeMap::new());
        let unjust: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some((number, mutation, place)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let mutation = Mutation { place: *place, ..*mutation };
                        let caught = self.catch(*number, &mutation, &unjust);
                        if self.measure || self.everywhere {
                            match &caught {
                                Some(measured) => println!("{}", measured.line(&mutation)),
                                None => println!("NOT CAUGHT: {} | {}", mutation.name, mutation.place),
                            }
                        }
                        if let (Some(room), Some(measured)) = (&self.keep, &caught) {
                            keep(room, *number, &mutation, measured);
                        }
                        if let Ok(mut found) = found.lock() {
                            found.insert(*number, (mutation, caught));
                        }
                    }
                });
            }
        });
        let found: Vec<_> = found.into_inner().unwrap_or_default().into_values().collect();
        let unjust = unjust.into_inner().unwrap_or_default();
        if !self.everywhere {
            self.print(&found);
        }
        unjust.iter().for_each(|line| println!("FAIL without any mutation: {line}"));
        Ok(unjust.is_empty() && found.iter().all(|(_, caught)| caught.is_some()))
    }

    fn places(&self, mutation: &Mutation) -> Vec<Place> {
        if !self.everywhere {
            return vec![mutation.place];
        }
        let classes = Class::ALL.iter().map(|class| Place::Class(*class));
        classes.chain(scenes::ALL.iter().map(|scene| Place::Scene(scene.name))).collect()
    }

    /// The first seed that notices; if it complains without the mutation, too, that goes to `unjust`.
    fn catch(&self, number: usize, mutation: &Mutation, unjust: &Mutex<Vec<String>>) -> Option<Measured> {
        let start = if self.measure || self.everywhere { 0 } else { Measured::of(mutation).map_or(0, |m| m.seed) };
        for seed in start..start + self.seeds {
            choose(Some(number));
            let broke = at(mutation.place, seed).failure.map(|failure| failure.invariant.to_owned());
            choose(None);
            let Some(broke) = broke else { continue };
            if let Some(failure) = at(mutation.place, seed).failure
                && let Ok(mut unjust) = unjust.lock()
            {
                unjust.push(format!("{} seed {seed}: {}: {}", mutation.place, failure.invariant, failure.text));
            }
            return Some(Measured { seed, broke });
        }
        None
    }

    fn print(&self, found: &[(Mutation, Option<Measured>)]) {
        println!("{}", table(found));
        let caught = found.iter().filter(|(_, measured)| measured.is_some()).count();
        println!("{caught} of {} mutations caught", found.len());
    }
}

fn scenario(place: Place, seed: u64) -> Scenario {
    match place {
        Place::Class(class) => Scenario::of(&Plan::of_seed(seed).with_class(class)),
        Place::Scene(name) => scenes::draw(name, seed).expect("the tests draw every scene that is named"),
    }
}

fn at(place: Place, seed: u64) -> Report {
    match place {
        Place::Class(class) => run(&Plan::of_seed(seed).with_class(class), Detail::Hash, None),
        Place::Scene(_) => play(&scenario(place, seed), Detail::Hash, None),
    }
}

fn breaks(number: Option<usize>, scenario: &Scenario) -> Option<&'static str> {
    choose(number);
    let broke = play(scenario, Detail::Hash, None).failure.map(|failure| failure.invariant);
    choose(None);
    broke
}

/// Makes the run that noticed small and writes it down.
fn keep(room: &Path, number: usize, mutation: &Mutation, measured: &Measured) {
    let broke = |scenario: &Scenario| {
        breaks(Some(number), scenario).is_some_and(|broke| broke == measured.broke) && breaks(None, scenario).is_none()
    };
    let small = shrink(&scenario(mutation.place, measured.seed), broke);
    let about = format!("Without the rule: {}.", mutation.name);
    let name = regression::file_name(mutation.name);
    let regression = Regression::new(about, measured.broke.clone(), Some(mutation.name.to_owned()), small);
    match regression.write(&room.join(&name)) {
        Ok(()) => println!("kept {name}"),
        Err(error) => println!("NOT KEPT: {error}"),
    }
}

/// Runs each trace that is kept with the mutation it is about: it must break what it says.
///
/// # Errors
/// The traces that break nothing, or something else, and those of mutations that are not in the table.
pub fn traces_see_their_mutations() -> Result<usize, String> {
    if !WOVEN {
        return Err("this simulator has no mutations in it".to_owned());
    }
    std::panic::set_hook(Box::new(|_| {}));
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (file, regression) in regression::kept()? {
        let Some(name) = &regression.without else { continue };
        let number = all().iter().position(|mutation| mutation.name == name);
        let broke = number.and_then(|number| breaks(Some(number), &regression.scenario));
        if broke.is_none() {
            wrong.push(format!("{}: nothing breaks without its rule “{name}”", file.display()));
        }
        seen += 1;
    }
    if wrong.is_empty() { Ok(seen) } else { Err(wrong.join("\n")) }
}
