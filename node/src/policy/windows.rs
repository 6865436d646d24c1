//! `windows`: the hours in which the device works, in its own time: `22:00-07:00, sat-sun 00:00-24:00`.

use super::moment::{DAYS, Local, clock};
use std::fmt;
use std::str::FromStr;

/// More than anybody can mean.
const WINDOWS_MAX: usize = 16;
const DAY: u16 = 24 * 60;

/// From a minute of one of these days on, up to another minute; over midnight if that is not later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    /// The first and the last day on which it begins, 0 is Monday.
    days: (u8, u8),
    from: u16,
    to: u16,
}

/// The hours; at least one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows(Vec<Window>);

impl Window {
    const fn begins_on(&self, weekday: u8) -> bool {
        let (first, last) = self.days;
        if first <= last { first <= weekday && weekday <= last } else { weekday >= first || weekday <= last }
    }

    const fn contains(&self, now: Local) -> bool {
        let yesterday = (now.weekday() + 6) % 7;
        if self.from < self.to {
            self.begins_on(now.weekday()) && self.from <= now.minute && now.minute < self.to
        } else {
            (self.begins_on(now.weekday()) && now.minute >= self.from)
                || (self.begins_on(yesterday) && now.minute < self.to)
        }
    }
}

impl Windows {
    /// Why the device does not work, if it does not, and how many minutes after the one that it is now the next window opens.
    pub(super) fn judge(&self, now: Option<Local>) -> Option<(String, Option<u16>)> {
        let Some(now) = now else { return Some(("the time of day is not known (windows)".to_owned(), None)) };
        if self.0.iter().any(|window| window.contains(now)) {
            return None;
        }
        let opens = |ahead: u16| {
            let weekday = ((u16::from(now.weekday()) + ahead) % 7) as u8;
            let today = self.0.iter().filter(move |window| window.begins_on(weekday));
            today.map(move |window| (ahead * DAY + window.from, weekday, window.from))
        };
        // Beginnings from tomorrow on, and those of today that are still to come.
        let next = (0..=7).flat_map(opens).filter(|(at, ..)| *at > now.minute).min();
        let until = next.map_or_else(String::new, |(at, weekday, from)| {
            let day = if at >= DAY + now.minute { DAYS[usize::from(weekday)] } else { "" };
            format!(", until {}", format!("{day} {}", clock(from)).trim_start())
        });
        Some((format!("outside its hours ({self}){until}"), next.map(|(at, ..)| at - now.minute)))
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, window) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let day = |day: u8| DAYS[usize::from(day % 7)];
            match window.days {
                (0, 6) => write!(f, "{comma}")?,
                (first, last) if first == last => write!(f, "{comma}{} ", day(first))?,
                (first, last) => write!(f, "{comma}{}-{} ", day(first), day(last))?,
            }
            write!(f, "{}-{}", clock(window.from), clock(window.to))?;
        }
        Ok(())
    }
}

impl FromStr for Windows {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let windows: Vec<_> = text.split(',').map(window).collect::<Result<_, _>>()?;
        if windows.len() > WINDOWS_MAX { Err(()) } else { Ok(Self(windows)) }
    }
}

fn window(text: &str) -> Result<Window, ()> {
    let text = text.trim();
    let (days, hours) = text.rsplit_once(char::is_whitespace).map_or(((0, 6), text), |(left, hours)| {
        let left = left.trim();
        (left.split_once('-').map_or_else(|| (day(left), day(left)), |(a, b)| (day(a), day(b))), hours)
    });
    let (from, to) = hours.split_once('-').ok_or(())?;
    let (from, to) = (minute(from)?, minute(to)?);
    // A window of no length is a mistake, not a day.
    if from == to || from == DAY || days.0 > 6 || days.1 > 6 {
        return Err(());
    }
    Ok(Window { days, from, to })
}

/// Beyond the last one if it is none.
fn day(text: &str) -> u8 {
    let text = text.trim().to_ascii_lowercase();
    DAYS.iter().position(|name| text == *name).map_or(u8::MAX, |day| day as u8)
}

fn minute(text: &str) -> Result<u16, ()> {
    let (hours, minutes) = text.trim().split_once(':').ok_or(())?;
    let number = |text: &str| if text.len() == 2 { text.parse::<u16>().map_err(|_| ()) } else { Err(()) };
    let minute = number(hours)? * 60 + number(minutes)?;
    if number(minutes)? < 60 && minute <= DAY { Ok(minute) } else { Err(()) }
}
