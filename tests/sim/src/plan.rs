//! What a run is: a seed and a few sizes. Equal plans give equal runs.

use crate::class::Class;
use std::fmt;

/// One run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The source of everything random.
    pub seed: u64,
    /// What goes wrong.
    pub class: Class,
    /// How many devices; `None` lets the seed choose.
    pub devices: Option<usize>,
    /// How many tasks; `None` lets the seed choose.
    pub tasks: Option<usize>,
    /// Virtual seconds of work and faults, before everything is healed.
    pub seconds: u64,
    /// Check the core's own invariants and the costly ones of the simulator after every so many steps.
    pub check_every: u64,
}

impl Plan {
    /// The plan of a seed: its class goes round all of them.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let class = Class::ALL[(seed % Class::ALL.len() as u64) as usize];
        Self { seed, class, devices: None, tasks: None, seconds: 60, check_every: 16 }
    }

    /// The same with another class.
    #[must_use]
    pub fn with_class(self, class: Class) -> Self {
        Self { class, ..self }
    }
}

impl fmt::Display for Plan {
    /// The arguments that make this run again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--seed {} --class {} --seconds {}", self.seed, self.class, self.seconds)?;
        if let Some(devices) = self.devices {
            write!(f, " --devices {devices}")?;
        }
        if let Some(tasks) = self.tasks {
            write!(f, " --tasks {tasks}")?;
        }
        Ok(())
    }
}
