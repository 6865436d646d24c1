//! Makes a failing run small: fewer faults, fewer tasks, fewer devices, plainer tasks, a shorter time, as long as the same property
//! breaks.

use crate::fault::{Fault, Timed};
use crate::scenario::Scenario;
use crate::workload::{Plot, Script};

/// Most runs that one shrinking may take.
const RUNS_MAX: usize = 1_000;

/// The smallest scenario found that `breaks` still says yes to.
pub fn shrink(scenario: &Scenario, breaks: impl Fn(&Scenario) -> bool) -> Scenario {
    let mut best = Shrinking { best: scenario.clone(), breaks, runs: 0 };
    loop {
        let before = best.best.clone();
        best.faults();
        best.scripts();
        best.devices();
        best.plainer();
        best.shorter();
        if best.best == before || best.runs >= RUNS_MAX {
            return best.best;
        }
    }
}

struct Shrinking<F> {
    best: Scenario,
    breaks: F,
    runs: usize,
}

impl<F: Fn(&Scenario) -> bool> Shrinking<F> {
    fn take(&mut self, candidate: Scenario) -> bool {
        if candidate == self.best || self.runs >= RUNS_MAX {
            return false;
        }
        self.runs += 1;
        let breaks = (self.breaks)(&candidate);
        if breaks {
            self.best = candidate;
        }
        breaks
    }

    fn faults(&mut self) {
        let mut size = self.best.faults.len();
        while size > 0 {
            let mut from = 0;
            while from < self.best.faults.len() {
                let mut booted = vec![false; self.best.devices.len()];
                let mut candidate = self.best.clone();
                let mut index = 0;
                // Each device's first start stays.
                candidate.faults.retain(|(_, fault)| {
                    index += 1;
                    let first = matches!(fault, Fault::Boot(d) if !std::mem::replace(&mut booted[*d], true));
                    first || index <= from || index > from + size
                });
                if !self.take(candidate) {
                    from += size;
                }
            }
            size /= 2;
        }
    }

    fn scripts(&mut self) {
        let mut size = self.best.scripts.len();
        while size > 0 {
            let mut from = 0;
            while from < self.best.scripts.len() {
                let mut candidate = self.best.clone();
                let gone: Vec<_> = candidate.scripts.keys().copied().skip(from).take(size).collect();
                gone.iter().for_each(|index| drop(candidate.scripts.remove(index)));
                mend_batches(&mut candidate);
                if !self.take(candidate) {
                    from += size;
                }
            }
            size /= 2;
        }
    }

    fn devices(&mut self) {
        let mut index = 0;
        while index < self.best.devices.len() && self.best.devices.len() > 1 {
            let smaller = without_device(&self.best, index);
            if !smaller.is_some_and(|candidate| self.take(candidate)) {
                index += 1;
            }
        }
    }

    fn plainer(&mut self) {
        let changes: [fn(&mut Script); 12] = [
            |script| script.cancel_after = None,
            |script| script.cancel_at_end = None,
            |script| script.twice = None,
            |script| script.after = None,
            |script| script.also_after.clear(),
            |script| script.again_after = None,
            |script| _ = script.asks.pop(),
            |script| script.plot = Plot::Ok,
            |script| script.spec.requirements.exclusive = false,
            |script| script.spec.requirements.exclude_devices.clear(),
            |script| script.spec.requirements.only_devices.clear(),
            |script| script.spec.idempotency_key = None,
        ];
        for index in self.best.scripts.keys().copied().collect::<Vec<_>>() {
            for change in changes {
                let mut candidate = self.best.clone();
                candidate.scripts.get_mut(&index).into_iter().for_each(change);
                self.take(candidate);
            }
        }
    }

    fn shorter(&mut self) {
        for seconds in [10, 15, 20, 30, 45, 60, 90, 120] {
            let shorter = Scenario { seconds, ..self.best.clone() };
            if seconds < self.best.seconds && self.take(shorter) {
                return;
            }
        }
    }
}

/// A batch is what is left of it.
fn mend_batches(scenario: &mut Scenario) {
    let there: Vec<_> = scenario.scripts.keys().copied().collect();
    for (index, script) in &mut scenario.scripts {
        let followers = (index + 1..=index + script.batch).take_while(|follower| there.contains(follower));
        script.batch = followers.count();
    }
}

/// The scenario without a device and what happens to it; `None` if something happens to it that this function does not know.
fn without_device(scenario: &Scenario, gone: usize) -> Option<Scenario> {
    let moved = |device: usize| if device > gone { device - 1 } else { device };
    let mut out = scenario.clone();
    let name = out.devices.remove(gone).id.0;
    for machine in &mut out.devices {
        machine.knows.retain(|device| *device != gone);
        machine.knows.iter_mut().for_each(|device| *device = moved(*device));
    }
    out.scripts.retain(|_, script| script.device != gone);
    for script in out.scripts.values_mut() {
        script.device = moved(script.device);
        script.twice = script.twice.filter(|(device, _)| *device != gone).map(|(device, at)| (moved(device), at));
        script.slow_on = script.slow_on.filter(|device| *device != gone).map(moved);
        script.fails_on = script.fails_on.filter(|device| *device != gone).map(moved);
        script.spec.requirements.only_devices.remove(&name);
        script.spec.requirements.exclude_devices.remove(&name);
    }
    mend_batches(&mut out);
    let mut faults: Vec<Timed> = Vec::new();
    for (at, fault) in &scenario.faults {
        let (first, second) = devices_of(fault)?;
        if first != Some(gone) && second != Some(gone) {
            faults.push((*at, renamed(fault, moved)));
        }
    }
    out.faults = faults;
    Some(out)
}

/// The devices that a fault is about, if this function knows it.
fn devices_of(fault: &Fault) -> Option<(Option<usize>, Option<usize>)> {
    match fault {
        Fault::Cut(a, b) | Fault::Mend(a, b) | Fault::Close(a, b) | Fault::Latency(a, b, _) => {
            Some((Some(*a), Some(*b)))
        }
        Fault::Kill(d, _)
        | Fault::PowerOff(d, _)
        | Fault::Boot(d)
        | Fault::Destroy(d)
        | Fault::Suspend(d)
        | Fault::Freeze(d)
        | Fault::Wake(d)
        | Fault::Disk(d, _)
        | Fault::Full(d, _)
        | Fault::Wall(d, _)
        | Fault::Pause(d, _)
        | Fault::Resume(d)
        | Fault::Battery(d, _)
        | Fault::Load(d, _)
        | Fault::GossipReplay(d) => Some((Some(*d), None)),
        Fault::FrameLoss(_) | Fault::GossipLoss(_) | Fault::Hang(_) => Some((None, None)),
        // The rest stays with the devices it has.
        _ => None,
    }
}

fn renamed(fault: &Fault, moved: impl Fn(usize) -> usize) -> Fault {
    match fault.clone() {
        Fault::Cut(a, b) => Fault::Cut(moved(a), moved(b)),
        Fault::Mend(a, b) => Fault::Mend(moved(a), moved(b)),
        Fault::Close(a, b) => Fault::Close(moved(a), moved(b)),
        Fault::Latency(a, b, slow) => Fault::Latency(moved(a), moved(b), slow),
        Fault::Kill(d, effects) => Fault::Kill(moved(d), effects),
        Fault::PowerOff(d, effects) => Fault::PowerOff(moved(d), effects),
        Fault::Boot(d) => Fault::Boot(moved(d)),
        Fault::Destroy(d) => Fault::Destroy(moved(d)),
        Fault::Suspend(d) => Fault::Suspend(moved(d)),
        Fault::Freeze(d) => Fault::Freeze(moved(d)),
        Fault::Wake(d) => Fault::Wake(moved(d)),
        Fault::Disk(d, slow) => Fault::Disk(moved(d), slow),
        Fault::Full(d, full) => Fault::Full(moved(d), full),
        Fault::Wall(d, wall) => Fault::Wall(moved(d), wall),
        Fault::GossipReplay(d) => Fault::GossipReplay(moved(d)),
        Fault::Pause(d, at_once) => Fault::Pause(moved(d), at_once),
        Fault::Resume(d) => Fault::Resume(moved(d)),
        Fault::Battery(d, on) => Fault::Battery(moved(d), on),
        Fault::Load(d, ppm) => Fault::Load(moved(d), ppm),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Class, Plan};

    #[test]
    fn what_does_not_matter_goes() {
        let plan = Plan { devices: Some(4), tasks: Some(20), ..Plan::of_seed(7).with_class(Class::Crash) };
        let mut scenario = Scenario::of(&plan);
        scenario.faults.push((1, Fault::Kill(1, 5)));
        // What must stay: that kill, and task 3.
        let matters = |scenario: &Scenario| {
            scenario.scripts.contains_key(&3)
                && scenario.faults.iter().any(|(at, fault)| *at == 1 && matches!(fault, Fault::Kill(..)))
        };
        let small = shrink(&scenario, matters);
        assert_eq!(small.scripts.keys().copied().collect::<Vec<_>>(), [3]);
        let starts = small.faults.iter().filter(|(_, fault)| matches!(fault, Fault::Boot(_))).count();
        assert_eq!((small.faults.len(), starts), (small.devices.len() + 1, small.devices.len()));
        assert!(small.devices.len() <= 2, "{}", small.devices.len());
        assert_eq!(small.seconds, 10);
    }
}
