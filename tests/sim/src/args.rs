//! What was typed.

use rc_sim::mutation::hunt::{Hunt, SEEDS_MAX};
use rc_sim::{Class, Plan, Scenario, scenes};
use std::path::PathBuf;

/// What `--help` says.
pub const USAGE: &str = "\
cargo sim [--seeds N] [--start S] [WHAT] [HOW]       run many seeds
cargo sim --seed S [WHAT] [HOW] [-v [--only TEXT]]   run one; -v prints everything that happens, --only the lines with TEXT
cargo sim --seed S [WHAT] --shrink FILE              make a failing seed as small as it goes, and write it down as a trace
cargo sim --replay FILE [-v [--only TEXT]]           run a trace
cargo sim --scale [10,100,1000]                      what so many devices cost, as a table
cargo sim --balance                                  where work goes, and in which order, as tables
cargo sim --stragglers                               what copies of attempts that take long buy, as a table
cargo sim --place TASKS DEVICES                      so many tasks at once over so many devices: time and balance
cargo sim-mutations [--only TEXT] [--seeds N]        break each rule of the scheduler in turn; some run must notice

  WHAT
  --class CLASS      faults of one class; without it, the class of each seed goes round all of them
  --scene SCENE      a scene instead of a class
  --devices N        1 to 60; without it, the seed says
  --tasks N          without it, the seed says
  --seconds N        virtual seconds of work and faults before everything is healed (60)

  HOW
  --seeds N          how many (100)
  --start S          the first one (0)
  --fail-fast        stop at the first failure
  --twice            run each seed twice and compare
  --check-every N    check each core's own invariants after every N steps (64); 0: never

  cargo sim-mutations
  --only TEXT        those whose name contains TEXT
  --seeds N          for each mutation, from the seed that caught it when it was last measured (5000)
  --measure          begin at seed 0, and print the lines of measured.txt
  --everywhere       look in every class and scene
  --keep DIRECTORY   make the run that noticed as small as it goes, and write it there as a trace

A failing seed prints the command that runs it again. The exit code is 0 if every promise was kept, 1 if one was broken, 2 if the
command makes no sense.";

/// Where runs come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// Seeds, each of the class that its number says, or of this one.
    Class(Option<Class>),
    /// Seeds of a scene.
    Scene(&'static str),
}

/// What to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Do {
    /// Run many seeds.
    Seeds,
    /// Run one.
    Seed(u64),
    /// Shrink a seed into a trace.
    Shrink(u64, PathBuf),
    /// Run a trace.
    Replay(PathBuf),
    /// Weave the mutations in and hunt them.
    Mutations(Vec<String>),
    /// Hunt them: this simulator has them in it.
    Hunt(Hunt),
    /// Run the traces that are kept, each with its mutation: this simulator has them in it.
    Traces,
    /// Print what so many devices cost.
    Scale(Option<String>),
    /// Print where work goes.
    Balance,
    /// Print what copies of stragglers buy.
    Stragglers,
    /// Place so many tasks over so many devices.
    Place(usize, usize),
    /// Say how it is used.
    Help,
}

/// The command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Args {
    pub what: Do,
    pub source: Source,
    pub seeds: u64,
    pub start: u64,
    pub devices: Option<usize>,
    pub tasks: Option<usize>,
    pub seconds: u64,
    pub check_every: u64,
    pub verbose: bool,
    pub only: Option<String>,
    pub fail_fast: bool,
    pub twice: bool,
}

impl Args {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// What makes no sense, for people.
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut words = words.peekable();
        let mut args = Self {
            what: Do::Seeds,
            source: Source::Class(None),
            seeds: 100,
            start: 0,
            devices: None,
            tasks: None,
            seconds: 60,
            check_every: 64,
            verbose: false,
            only: None,
            fail_fast: false,
            twice: false,
        };
        match words.peek().map(String::as_str) {
            Some("mutations") => {
                let rest: Vec<String> = words.skip(1).collect();
                hunt(rest.iter().cloned())?;
                return Ok(Self { what: Do::Mutations(rest), ..args });
            }
            Some("--scale") => {
                let what = Do::Scale(words.nth(1));
                return match words.next() {
                    None => Ok(Self { what, ..args }),
                    Some(word) => Err(format!("{word}: unknown\n\n{USAGE}")),
                };
            }
            Some("--balance") => return Ok(Self { what: Do::Balance, ..args }),
            Some("--stragglers") => return Ok(Self { what: Do::Stragglers, ..args }),
            Some("--place") => {
                let sizes: Vec<_> = words.skip(1).collect();
                let [tasks, devices] = &sizes[..] else { return Err("--place needs tasks and devices".to_owned()) };
                let (tasks, devices) = (number(tasks)?, number(devices)?);
                if !(1..=1_000_000).contains(&tasks) || !(2..=2_000).contains(&devices) {
                    return Err("--place: 1 to 1000000 tasks, 2 to 2000 devices".to_owned());
                }
                return Ok(Self { what: Do::Place(tasks as usize, devices as usize), ..args });
            }
            Some("hunt-traces") => return Ok(Self { what: Do::Traces, ..args }),
            Some("hunt") => return Ok(Self { what: Do::Hunt(hunt(words.skip(1))?), ..args }),
            _ => {}
        }
        let (mut seed, mut shrink) = (None, None);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--seeds" => args.seeds = number(&value()?)?,
                "--start" => args.start = number(&value()?)?,
                "--seed" => seed = Some(number(&value()?)?),
                "--class" => {
                    let text = value()?;
                    let all: Vec<_> = Class::ALL.iter().map(|class| class.word()).collect();
                    let class =
                        Class::from_word(&text).ok_or_else(|| format!("{text} is none of {}", all.join(" ")))?;
                    args.source = Source::Class(Some(class));
                }
                "--scene" => {
                    let text = value()?;
                    let all: Vec<_> = scenes::ALL.iter().map(|scene| scene.name).collect();
                    let scene = all.iter().find(|name| **name == text);
                    args.source = Source::Scene(scene.ok_or_else(|| format!("{text} is none of {}", all.join(" ")))?);
                }
                "--devices" => args.devices = Some(number(&value()?)?.clamp(1, 60) as usize),
                "--tasks" => args.tasks = Some(number(&value()?)? as usize),
                "--seconds" => args.seconds = number(&value()?)?.max(10),
                "--check-every" => args.check_every = number(&value()?)?,
                "--shrink" => shrink = Some(PathBuf::from(value()?)),
                "--replay" => args.what = Do::Replay(PathBuf::from(value()?)),
                "--only" => args.only = Some(value()?),
                "-v" | "--trace" => args.verbose = true,
                "--fail-fast" => args.fail_fast = true,
                "--twice" => args.twice = true,
                "-h" | "--help" => args.what = Do::Help,
                other => return Err(format!("{other}: unknown\n\n{USAGE}")),
            }
        }
        args.what = match (seed, shrink, args.what) {
            (Some(seed), Some(file), Do::Seeds) => Do::Shrink(seed, file),
            (Some(seed), None, Do::Seeds) => Do::Seed(seed),
            (None, None, what) => what,
            (None, Some(_), _) => return Err("--shrink needs --seed".to_owned()),
            (Some(_), ..) => return Err("--seed goes with neither --replay nor --help".to_owned()),
        };
        Ok(args)
    }

    /// The plan of a seed; a scene has another.
    pub fn plan(&self, seed: u64) -> Plan {
        let plan = Plan::of_seed(seed);
        let class = match self.source {
            Source::Class(Some(class)) => class,
            _ => plan.class,
        };
        Plan {
            class,
            devices: self.devices,
            tasks: self.tasks,
            seconds: self.seconds,
            check_every: self.check_every,
            ..plan
        }
    }

    /// Everything of a seed, laid open.
    pub fn scenario(&self, seed: u64) -> Scenario {
        match self.source {
            Source::Class(_) => Scenario::of(&self.plan(seed)),
            Source::Scene(name) => scenes::draw(name, seed).expect("the name was looked up in the list of scenes"),
        }
    }

    /// The class or scene of a seed.
    pub fn place(&self, seed: u64) -> String {
        match self.source {
            Source::Class(_) => self.plan(seed).class.to_string(),
            Source::Scene(name) => name.to_owned(),
        }
    }

    /// The arguments that run a seed again.
    pub fn again(&self, seed: u64) -> String {
        match self.source {
            Source::Class(_) => self.plan(seed).to_string(),
            Source::Scene(name) => format!("--seed {seed} --scene {name}"),
        }
    }
}

fn hunt(mut words: impl Iterator<Item = String>) -> Result<Hunt, String> {
    let mut hunt = Hunt { seeds: SEEDS_MAX, ..Hunt::default() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--only" => hunt.only = Some(value()?),
            "--seeds" => hunt.seeds = number(&value()?)?,
            "--measure" => hunt.measure = true,
            "--everywhere" => hunt.everywhere = true,
            "--keep" => hunt.keep = Some(PathBuf::from(value()?)),
            other => return Err(format!("{other}: unknown\n\n{USAGE}")),
        }
    }
    Ok(hunt)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}
