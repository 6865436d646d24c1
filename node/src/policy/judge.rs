//! All rules together: why the device does not work now, and whether it gives up what it runs.

use super::battery::BatteryRule;
use super::ceiling::Ceiling;
use super::charge::ChargeRule;
use super::moment::{Moment, Power, Readings};
use super::order::{Order, Pause, Paused};
use super::remembered::Remembered;
use super::rules::Rules;
use super::temperature::TemperatureRule;
use super::trend::Trend;
use rc_scheduler::{Blocked, Mono};

/// Points below the ceiling where a busy device takes work again.
const CPU_SLACK: u8 = 10;
const MEM_SLACK: u8 = 5;

/// One thing that keeps the device from working.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Of which kind.
    pub by: Blocked,
    /// In words, as others read it; may be empty.
    pub text: String,
    /// What runs is given up; else it may finish.
    pub gives_up: bool,
    /// When it ends by itself, milliseconds since 1970, if that is known.
    pub until_wall_ms: Option<u64>,
}

/// What the policy says at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Empty = it works.
    pub reasons: Vec<Reason>,
    /// When the passing of time alone may change it.
    pub again: Option<Mono>,
}

impl Verdict {
    /// What runs is given up.
    #[must_use]
    pub fn gives_up(&self) -> bool {
        self.reasons.iter().any(|reason| reason.gives_up)
    }
}

/// The owner's rules, his last order, and what the rules remember.
#[derive(Debug, Clone)]
pub struct Policy {
    rules: Rules,
    paused: Option<Paused>,
    drain: bool,
    trend: Trend,
    battery: BatteryRule,
    charge: ChargeRule,
    temperature: TemperatureRule,
    cpu: Ceiling,
    memory: Ceiling,
}

impl Policy {
    /// With these rules, and an order that may be older than this start.
    #[must_use]
    pub fn new(rules: Rules, order: Order, now: Moment) -> Self {
        Self {
            rules,
            paused: order.pause.map(|pause| Paused::new(pause, now)),
            drain: order.drain,
            trend: Trend::default(),
            battery: BatteryRule::default(),
            charge: ChargeRule::default(),
            temperature: TemperatureRule::default(),
            cpu: Ceiling::default(),
            memory: Ceiling::default(),
        }
    }

    /// What the rules will want to know when the node starts again.
    #[must_use]
    pub fn remembered(&self) -> Remembered {
        Remembered {
            battery_below: self.rules.battery_min.filter(|_| self.battery.blocks()),
            charge_falls: self.charge.blocks(),
            hotter_than: self.rules.temp_max.filter(|_| self.temperature.blocks()),
        }
    }

    /// Goes on from what the rules said when the node ran last. What was said of another limit is forgotten, as ever.
    pub fn remember(&mut self, last: Remembered) {
        if last.battery_below.is_some() && last.battery_below == self.rules.battery_min {
            self.battery.go_on();
        }
        if last.charge_falls && self.rules.charge_only {
            self.charge.go_on();
        }
        if last.hotter_than.is_some() && last.hotter_than == self.rules.temp_max {
            self.temperature.go_on();
        }
    }

    /// The rules.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Other rules. One whose limit was changed forgets what it said: an owner who lowers a limit means now.
    pub fn set_rules(&mut self, rules: Rules) {
        let old = std::mem::replace(&mut self.rules, rules);
        let new = &self.rules;
        if old.battery_min != new.battery_min {
            self.battery.rest();
        }
        if (old.temp_max, old.temp_chosen) != (new.temp_max, new.temp_chosen) {
            self.temperature.rest();
        }
        if old.cpu_max != new.cpu_max {
            self.cpu.rest();
        }
        if old.mem_max != new.mem_max {
            self.memory.rest();
        }
    }

    /// What holds until the owner says otherwise, with what is left of a pause.
    #[must_use]
    pub fn order(&self, now: Moment) -> Order {
        let left = |paused: &Paused| Pause {
            until_wall_ms: paused.pause.until_wall_ms,
            left_ms: paused.until().map(|until| until.since(now.mono).as_ms()),
        };
        Order { pause: self.paused.as_ref().map(left), drain: self.drain }
    }

    /// Pauses, in place of an earlier pause.
    pub fn pause(&mut self, pause: Pause, now: Moment) {
        self.paused = Some(Paused::new(pause, now));
    }

    /// Ends a pause; whether there was one.
    pub const fn resume(&mut self) -> bool {
        self.paused.take().is_some()
    }

    /// Begins to empty the device, or ends that; whether that is new.
    pub const fn drain(&mut self, drain: bool) -> bool {
        core::mem::replace(&mut self.drain, drain) != drain
    }

    /// What the policy says now. `fresh`: the readings were taken for this and not looked at before. Drops a pause that is over.
    pub fn judge(&mut self, readings: &Readings, now: Moment, fresh: bool) -> Verdict {
        if self.paused.is_some_and(|paused| paused.is_over(now)) {
            self.paused = None;
        }
        let mut reasons = Vec::new();
        let mut add_until = |by, gives_up, text: Option<String>, until_wall_ms| {
            reasons.extend(text.map(|text| Reason { by, text, gives_up, until_wall_ms }));
        };
        let until = |paused: Paused| paused.pause.until_wall_ms.map(|until| format!("until {}", now.say(until)));
        let pause = self.paused.map(|paused| until(paused).unwrap_or_default());
        add_until(Blocked::Paused, true, pause, self.paused.and_then(|paused| paused.pause.until_wall_ms));
        let (hours, opens) = self.rules.windows.as_ref().and_then(|windows| windows.judge(now.local())).unzip();
        add_until(Blocked::Policy, true, hours, opens.flatten().map(|minutes| now.minutes_on(minutes)));
        let mut add = |by, gives_up, text: Option<String>| add_until(by, gives_up, text, None);
        add(Blocked::Draining, false, self.drain.then(String::new));
        let rules = &self.rules;
        match readings.power {
            Power::Battery(battery) => {
                self.trend.note(battery.level_percent, now.mono);
                let falling = self.trend.is_falling();
                match rules.battery_min {
                    Some(min) => {
                        let blocks = self.battery.judge(min, rules.battery_resume, &battery, falling);
                        add(Blocked::Policy, true, blocks);
                    }
                    None => self.battery.rest(),
                }
                match rules.charge_only {
                    true => add(Blocked::Policy, true, self.charge.judge(&battery)),
                    false => self.charge.rest(),
                }
            }
            Power::Mains => {
                self.battery.rest();
                self.charge.rest();
            }
        }
        match rules.temp_max {
            Some(max) => {
                let blocks = self.temperature.judge(max, rules.temp_resume, rules.temp_chosen, readings);
                add(Blocked::Policy, true, blocks);
            }
            None => self.temperature.rest(),
        }
        let ceilings = [
            ("processor", rules.cpu_max, CPU_SLACK, readings.cpu_permille, &mut self.cpu),
            ("memory", rules.mem_max, MEM_SLACK, readings.memory_permille, &mut self.memory),
        ];
        for (what, max, slack, used, ceiling) in ceilings {
            match max {
                Some(max) => add(Blocked::Policy, false, ceiling.judge(what, max, slack, used, fresh)),
                None => ceiling.rest(),
            }
        }
        Verdict { reasons, again: self.paused.and_then(|paused| paused.until()) }
    }
}
