//! `charge_only`: the device works while external power is connected, and feeds more into the battery than the work takes out.

use crate::capabilities::Battery;

/// So many points below the highest level since the charger was connected, and the charger does not keep up.
const SINKS: u8 = 3;
/// So many points above the lowest after that, and it does again.
const RISES: u8 = 2;

/// What the battery did since the charger was connected.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ChargeRule {
    /// The highest level.
    peak: u8,
    /// While it does not keep up: the lowest level.
    low: Option<u8>,
}

impl ChargeRule {
    /// Why the device does not work, if it does not.
    pub(super) fn judge(&mut self, battery: &Battery) -> Option<String> {
        match battery.charging {
            None => {
                let how = "on a phone, Termux:API tells";
                return Some(format!("not known whether it charges (charge_only; {how})"));
            }
            Some(false) => {
                self.rest();
                return Some("runs on battery (charge_only)".to_owned());
            }
            Some(true) => {}
        }
        let level = match battery.level_percent {
            Some(level) if battery.full != Some(true) => level,
            // Full to its charger's mind: it stands still at 80 % or moves a point up and down.
            Some(level) => {
                (self.peak, self.low) = (level, None);
                return None;
            }
            None => return self.low.map(|_| "charging but falling (charge_only)".to_owned()),
        };
        self.peak = self.peak.max(level);
        match &mut self.low {
            None if level.saturating_add(SINKS) <= self.peak => self.low = Some(level),
            None => {}
            Some(low) if level >= low.saturating_add(RISES) => (self.peak, self.low) = (level, None),
            Some(low) => *low = level.min(*low),
        }
        let low = self.low?;
        let (peak, rises) = (self.peak, low.saturating_add(RISES));
        Some(format!("charging but falling: {level} % after {peak} % (charge_only), resumes at {rises} %"))
    }

    /// It blocks until the level rises.
    pub(super) const fn blocks(&self) -> bool {
        self.low.is_some()
    }

    /// It blocked when the node ran last; how low the battery was then does not count any more.
    pub(super) const fn go_on(&mut self) {
        self.low = Some(u8::MAX);
    }

    /// The rule is off, the charger gone, or there is no battery.
    pub(super) const fn rest(&mut self) {
        (self.peak, self.low) = (0, None);
    }
}
