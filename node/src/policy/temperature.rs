//! `temp.max`: above it the device gives up what it runs, until it has cooled to `temp.resume`.
//!
//! Meant is the battery's temperature: 40 °C is much for a battery and little for a processor. Where no battery tells its own, the
//! processor's counts, but only against a limit that the owner has set.

use super::moment::{Power, Readings};

/// What the rule said last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TemperatureRule {
    blocks: bool,
}

impl TemperatureRule {
    /// Why the device does not work, if it does not. Limits in °C; `chosen`: the owner has set them.
    pub(super) fn judge(&mut self, max: u8, resume: u8, chosen: bool, readings: &Readings) -> Option<String> {
        let battery = match readings.power {
            Power::Battery(battery) => battery.temperature_milli_c.map(|milli| ("battery", milli)),
            Power::Mains => None,
        };
        let device = || readings.temperature_milli_c.filter(|_| chosen).map(|milli| ("device", milli));
        let until = format!("(max {max} °C), resumes at {resume} °C");
        let Some((what, milli_c)) = battery.or_else(device) else {
            return self.blocks.then(|| format!("temperature not known now {until}"));
        };
        let limit = if self.blocks { resume } else { max };
        self.blocks = milli_c > i32::from(limit) * 1000;
        // Rounded up: what is above the limit must not read as the limit.
        self.blocks.then(|| format!("{what} {} °C {until}", milli_c.saturating_add(999).div_euclid(1000)))
    }

    /// It blocks until the device has cooled.
    pub(super) const fn blocks(&self) -> bool {
        self.blocks
    }

    /// It blocked when the node ran last.
    pub(super) const fn go_on(&mut self) {
        self.blocks = true;
    }

    /// The rule is off.
    pub(super) const fn rest(&mut self) {
        self.blocks = false;
    }
}
