//! The world of a scenario, and the scenario of a world that has not begun.

use super::event::{Event, Queue};
use super::{Dice, Disk, World, member};
use crate::names::Names;
use crate::plan::Plan;
use crate::scenario::{Machine, Name, Scenario};
use crate::trace::Detail;

impl World {
    /// The world of a scenario, at its beginning.
    #[must_use]
    pub fn of(scenario: &Scenario, detail: Detail, filter: Option<String>) -> Self {
        let plan = Plan {
            seed: scenario.seed,
            class: scenario.class,
            devices: Some(scenario.devices.len()),
            tasks: Some(1),
            seconds: scenario.seconds,
            check_every: scenario.check_every,
        };
        let mut world = Self::new(plan, detail, filter);
        let ids: Vec<_> = scenario.devices.iter().map(|machine| machine.id.0).collect();
        world.names = Names::default();
        ids.iter().enumerate().for_each(|(index, id)| world.names.device(*id, index));
        for (device, machine) in world.devices.iter_mut().zip(&scenario.devices) {
            let known: Vec<_> = machine.knows.iter().filter_map(|i| ids.get(*i)).map(|id| member(*id)).collect();
            device.id = machine.id.0;
            device.clock = machine.clock;
            device.disk = Disk::new(&known);
            device.capacity.name = device.id.to_string();
            device.capacity.max_concurrent_tasks = machine.slots;
            device.capacity.cpu_usage_ppm = Some(machine.cpu_usage_ppm);
            device.capacity.mains = !machine.battery;
        }
        let [net, disk, exec, order, clients] = scenario.dice.clone();
        world.dice = Dice { net, disk, exec, order, clients };
        let last = scenario.scripts.keys().next_back().map_or(0, |last| last + 1);
        let script = |index| scenario.scripts.get(&index).cloned().unwrap_or_else(Scenario::nothing);
        world.scripts = (0..last).map(script).collect();
        world.told_by = scenario.told_by;
        world.queue = Queue::default();
        for (at, fault) in &scenario.faults {
            world.queue.push(*at, Event::Fault(fault.clone()));
        }
        world.enlist();
        world
    }

    /// What this world is made of; it must not have begun.
    pub(crate) fn into_scenario(mut self) -> Scenario {
        let index = |world: &Self, id| world.names.index(id);
        let devices = self
            .devices
            .iter()
            .map(|device| Machine {
                id: Name(device.id),
                clock: device.clock,
                slots: device.capacity.max_concurrent_tasks,
                cpu_usage_ppm: device.capacity.cpu_usage_ppm.unwrap_or_default(),
                battery: !device.capacity.mains,
                knows: device.disk.clone().boot().members.iter().filter_map(|m| index(&self, m.device)).collect(),
            })
            .collect();
        let dice = &self.dice;
        Scenario {
            seed: self.plan.seed,
            class: self.plan.class,
            seconds: self.plan.seconds,
            check_every: self.plan.check_every,
            told_by: self.told_by,
            dice: [&dice.net, &dice.disk, &dice.exec, &dice.order, &dice.clients].map(Clone::clone),
            devices,
            faults: self.queue.take_faults(),
            scripts: self.scripts.into_iter().enumerate().collect(),
        }
    }
}
