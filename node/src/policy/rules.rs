//! The rules' limits: their names, how they are written, and what they are when nobody says anything.

use super::windows::Windows;
use std::collections::BTreeMap;
use std::fmt;

/// Most tasks at once that a device may be set to.
const TASKS_MAX: u32 = 1_024;

macro_rules! keys {
    ($($(#[$meta:meta])* $variant:ident $word:literal $allowed:literal,)+) => {
        /// The name of a limit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Key { $($(#[$meta])* $variant,)+ }

        impl Key {
            /// All of them, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// As it is written.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// What may be written for it.
            const fn allowed(self) -> &'static str {
                match self { $(Self::$variant => $allowed,)+ }
            }
        }
    };
}

keys! {
    /// Percent below which the battery is spared.
    BatteryMin "battery.min" "0 to 100 %, or off",
    /// Percent from which on it is used again.
    BatteryResume "battery.resume" "0 to 100 %, not less than battery.min",
    /// Work only while external power is connected.
    ChargeOnly "charge_only" "on or off",
    /// °C above which the device cools.
    TempMax "temp.max" "1 to 125 °C, or off",
    /// °C down to which it cools.
    TempResume "temp.resume" "1 to 125 °C, not more than temp.max",
    /// The hours in which it works.
    Windows "windows" "hours as 22:00-07:00, with days as sat-sun 00:00-24:00, several separated by commas, or off",
    /// Percent of all cores above which it takes nothing new.
    CpuMax "cpu.max" "1 to 99 %, or off",
    /// Percent of the memory above which it takes nothing new.
    MemMax "mem.max" "1 to 99 %, or off",
    /// Tasks at once.
    MaxTasks "max_tasks" "1 to 1024, or off for what the node was started with",
}

impl Key {
    /// The key that is written so.
    ///
    /// # Errors
    /// There is none.
    pub fn from_word(word: &str) -> Result<Self, RulesError> {
        let found = Self::ALL.iter().copied().find(|key| key.word() == word);
        found.ok_or_else(|| RulesError::Unknown(word.chars().take(64).collect()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Limits as they are written.
pub type Limits = BTreeMap<Key, String>;

/// A limit that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// No rule is called that.
    #[error("there is no rule {0:?}; there are {names}", names = Key::ALL.iter().map(|key| key.word()).collect::<Vec<_>>().join(", "))]
    Unknown(String),
    /// It is not of its kind, or out of range.
    #[error("{key} {value:?}: write {}", .key.allowed())]
    Value {
        /// Which limit.
        key: Key,
        /// What was written.
        value: String,
    },
    /// Alone each makes sense.
    #[error("{resume} and {max} contradict each other: {}", .resume.allowed())]
    Order {
        /// Where work begins again.
        resume: Key,
        /// Where it ends.
        max: Key,
    },
}

/// All limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub(super) battery_min: Option<u8>,
    pub(super) battery_resume: u8,
    pub(super) charge_only: bool,
    pub(super) temp_max: Option<u8>,
    pub(super) temp_resume: u8,
    /// The owner has set the temperature's limit.
    pub(super) temp_chosen: bool,
    pub(super) windows: Option<Windows>,
    pub(super) cpu_max: Option<u8>,
    pub(super) mem_max: Option<u8>,
    pub(super) max_tasks: Option<u32>,
}

impl Rules {
    /// What holds when nobody says anything; a phone works only while it charges.
    #[must_use]
    pub const fn new(phone: bool) -> Self {
        Self {
            battery_min: Some(40),
            battery_resume: 60,
            charge_only: phone,
            temp_max: Some(40),
            temp_resume: 36,
            temp_chosen: false,
            windows: None,
            cpu_max: None,
            mem_max: None,
            max_tasks: None,
        }
    }

    /// No rule blocks anything: for a node that works for whoever started it alone.
    #[must_use]
    pub fn none() -> Self {
        Self { battery_min: None, temp_max: None, ..Self::new(false) }
    }

    /// Sets limits as they are written, all or none. Of a pair of which one alone is said, the other gives way.
    ///
    /// # Errors
    /// See [`RulesError`].
    pub fn with(&self, limits: &Limits) -> Result<Self, RulesError> {
        let mut rules = self.clone();
        for (key, value) in limits {
            rules.set(*key, value.trim())?;
        }
        let said = |key| limits.contains_key(&key);
        if let Some(min) = rules.battery_min.filter(|min| *min > rules.battery_resume) {
            match (said(Key::BatteryMin), said(Key::BatteryResume)) {
                (true, true) => return Err(RulesError::Order { resume: Key::BatteryResume, max: Key::BatteryMin }),
                (_, true) => rules.battery_min = Some(rules.battery_resume),
                (_, false) => rules.battery_resume = min,
            }
        }
        if let Some(max) = rules.temp_max.filter(|max| *max < rules.temp_resume || !said(Key::TempResume)) {
            match (said(Key::TempMax), said(Key::TempResume)) {
                (true, true) => return Err(RulesError::Order { resume: Key::TempResume, max: Key::TempMax }),
                (false, true) => rules.temp_max = Some(rules.temp_resume),
                // As far below as the default one is.
                (true, false) => rules.temp_resume = max.saturating_sub(4).max(1),
                (false, false) => {}
            }
        }
        Ok(rules)
    }

    fn set(&mut self, key: Key, text: &str) -> Result<(), RulesError> {
        let error = || RulesError::Value { key, value: text.chars().take(64).collect() };
        let off = matches!(text, "off" | "none" | "never");
        let number = |unit: &str, range: std::ops::RangeInclusive<u32>| {
            let digits = text.strip_suffix(unit).unwrap_or(text).trim_end();
            digits.parse().ok().filter(|number| range.contains(number)).ok_or_else(error)
        };
        let percent = |range| number("%", range).map(|percent| percent as u8);
        let degrees = || number("C", 1..=125).or_else(|_| number("°C", 1..=125)).map(|degrees| degrees as u8);
        match key {
            Key::BatteryMin => self.battery_min = if off { None } else { Some(percent(0..=100)?) },
            Key::BatteryResume => self.battery_resume = percent(0..=100)?,
            Key::ChargeOnly => {
                self.charge_only = match text {
                    "on" | "true" | "yes" => true,
                    "off" | "false" | "no" => false,
                    _ => return Err(error()),
                }
            }
            Key::TempMax => {
                self.temp_max = if off { None } else { Some(degrees()?) };
                self.temp_chosen = true;
            }
            Key::TempResume => self.temp_resume = degrees()?,
            Key::Windows => {
                self.windows = if off || text == "always" { None } else { Some(text.parse().map_err(|()| error())?) };
            }
            Key::CpuMax => self.cpu_max = if off { None } else { Some(percent(1..=99)?) },
            Key::MemMax => self.mem_max = if off { None } else { Some(percent(1..=99)?) },
            Key::MaxTasks => self.max_tasks = if off { None } else { Some(number("", 1..=TASKS_MAX)?) },
        }
        Ok(())
    }

    /// A limit as it is written, without its unit.
    #[must_use]
    pub fn get(&self, key: Key) -> String {
        fn or_off<T: ToString>(value: Option<T>) -> String {
            value.map_or_else(|| "off".to_owned(), |value| value.to_string())
        }
        match key {
            Key::BatteryMin => or_off(self.battery_min),
            Key::BatteryResume => self.battery_resume.to_string(),
            Key::ChargeOnly => if self.charge_only { "on" } else { "off" }.to_owned(),
            Key::TempMax => or_off(self.temp_max),
            Key::TempResume => self.temp_resume.to_string(),
            Key::Windows => or_off(self.windows.as_ref()),
            Key::CpuMax => or_off(self.cpu_max),
            Key::MemMax => or_off(self.mem_max),
            Key::MaxTasks => or_off(self.max_tasks),
        }
    }

    /// Tasks at once, if the owner has set that here.
    #[must_use]
    pub const fn max_tasks(&self) -> Option<u32> {
        self.max_tasks
    }
}
