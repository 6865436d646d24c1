//! `cpu.max` and `mem.max`: above them the device takes nothing new. What runs goes on: it may itself be what the device is busy
//! with, and giving it up and taking it again would be the result.

/// Looks in a row that must agree before the rule changes its mind: a second of work is no load.
const LOOKS: u8 = 2;

/// What the rule said last, and how many looks spoke against it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ceiling {
    blocks: bool,
    against: u8,
}

impl Ceiling {
    /// Why the device takes nothing, if it does not. `max` in percent, `slack` in points below it where it takes work again, `used`
    /// in 1/1000. One look is `fresh` once.
    pub(super) fn judge(&mut self, what: &str, max: u8, slack: u8, used: Option<u32>, fresh: bool) -> Option<String> {
        let resume = max.saturating_sub(slack);
        if let Some(used) = used.filter(|_| fresh) {
            let limit = u32::from(if self.blocks { resume } else { max }) * 10;
            let otherwise = if self.blocks { used <= limit } else { used > limit };
            self.against = if otherwise { self.against + 1 } else { 0 };
            if self.against >= LOOKS {
                (self.blocks, self.against) = (!self.blocks, 0);
            }
        }
        // Without the number: it would be news every few seconds.
        self.blocks.then(|| format!("{what} above {max} %, resumes at {resume} %"))
    }

    /// The rule is off.
    pub(super) const fn rest(&mut self) {
        (self.blocks, self.against) = (false, 0);
    }
}
