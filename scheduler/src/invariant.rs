//! What must be true of the core after every input. The simulator asks after each one.

use crate::core::Scheduler;
use crate::holder::Phase;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::fmt;

/// An invariant that does not hold: a bug.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Scheduler {
    /// Checks what must always hold.
    ///
    /// # Errors
    /// The first violation found.
    pub fn check_invariants(&self) -> Result<(), Violation> {
        let active = self.holder.runs.iter().filter(|(_, run)| run.phase != Phase::Waiting).count() as u32;
        check(active == self.holder.active, || format!("{active} attempts run, {} are counted", self.holder.active))?;
        check(!self.holder.exclusive || active == 1, || format!("an exclusive attempt runs beside {active}"))?;
        let mut granted = BTreeMap::new();
        for (task, run) in self.holder.runs.iter() {
            *granted.entry(run.by).or_default() += 1;
            let queued = self.holder.queue.contains(task);
            check(queued == (run.phase == Phase::Waiting), || {
                format!("{task} is in phase {:?}, queued: {queued}", run.phase)
            })?;
        }
        check(!self.is_blocked() || self.holder.queue.len() == 0, || "it takes no work, and leases wait here".into())?;
        check(granted == *self.holder.runs.counts(), || "the leases in hand are not as counted by granter".into())?;
        for (task, entry) in &self.tasks {
            let all = entry.record.all();
            check(entry.durable & !all == 0, || format!("{task}: free slots are durable"))?;
            for copy in &entry.copies {
                check((copy.stored | copy.sent) & !all == 0, || {
                    format!("{task}: {} has stored free slots", copy.device)
                })?;
            }
            check(entry.submitted_slots() != 0, || format!("{task} has no Submitted"))?;
            let ended = entry.record.resolve().is_reportable();
            check(ended != self.open.contains(task), || {
                format!("{task} ended: {ended}, but its place in the index differs")
            })?;
            check(!(ended && self.guardian.queue.contains(*task)), || {
                format!("{task} has ended and waits for a device")
            })?;
        }
        for (task, cold) in self.cold.iter() {
            check(!self.tasks.contains_key(&task), || format!("{task} rests and is in memory"))?;
            check(cold.status().is_terminal(), || format!("{task} rests and is {}", cold.status()))?;
        }
        self.check_sums()?;
        let counted: u32 = self.guardian.counted.values().map(|(count, _)| count).sum();
        let leases = self.tasks.values().flat_map(|entry| entry.counted).flatten().count() as u32;
        check(counted == leases, || format!("{leases} leases are open, {counted} are counted"))
    }
}

/// `what` is only put into words when it is wrong.
fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(what())) }
}
