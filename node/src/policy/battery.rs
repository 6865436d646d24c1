//! `battery.min`: below it the device gives up what it runs, until the battery has come to `battery.resume` and does not fall.

use crate::capabilities::Battery;

/// What the rule said last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BatteryRule {
    blocks: bool,
}

impl BatteryRule {
    /// Why the device does not work, if it does not. `falling`: see `trend`.
    pub(super) fn judge(&mut self, min: u8, resume: u8, battery: &Battery, falling: bool) -> Option<String> {
        let until = format!("(min {min} %), resumes at {resume} %");
        let Some(level) = battery.level_percent else {
            return self.blocks.then(|| format!("battery level not known now {until}"));
        };
        // A battery that its charger does not fill any further will never come to a level above that.
        let full = battery.full == Some(true);
        let enough = (level >= resume && !falling) || (full && level >= min);
        self.blocks = if self.blocks { !enough } else { level < min };
        if !self.blocks {
            return None;
        }
        Some(match level >= resume {
            true => format!("battery {level} % and falling (min {min} %), resumes when it does not fall"),
            false => format!("battery {level} % {until}"),
        })
    }

    /// It blocks until the battery has recovered.
    pub(super) const fn blocks(&self) -> bool {
        self.blocks
    }

    /// It blocked when the node ran last.
    pub(super) const fn go_on(&mut self) {
        self.blocks = true;
    }

    /// The rule is off, or there is no battery.
    pub(super) const fn rest(&mut self) {
        self.blocks = false;
    }
}
