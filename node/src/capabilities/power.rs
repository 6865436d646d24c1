//! Battery and temperature: from `/sys` on Linux, from Termux's helper program on phones.

use std::path::Path;

use super::{Battery, Roots, entries, read_number, read_text};

/// What a sensor that works can say, in 1/1000 °C. Broken ones say 0, -274000 or whole degrees.
const PLAUSIBLE_MILLI_C: std::ops::RangeInclusive<i64> = 1_000..=125_000;

fn plausible(milli_c: i64) -> Option<i32> {
    i32::try_from(milli_c).ok().filter(|_| PLAUSIBLE_MILLI_C.contains(&milli_c))
}

/// The system tells of what the machine lives off.
pub(super) fn is_told(roots: &Roots) -> bool {
    std::fs::read_dir(roots.sys.join("class/power_supply")).is_ok()
}

/// All batteries that power the machine, as one.
pub(super) fn battery(roots: &Roots) -> Option<Battery> {
    let supplies = entries(roots.sys.join("class/power_supply"));
    let is = |dir: &Path, file: &str, value: &str| read_text(dir.join(file)).is_some_and(|text| text == value);
    // Mice and keyboards report their batteries, too.
    let batteries: Vec<_> =
        supplies.iter().filter(|dir| is(dir, "type", "Battery") && !is(dir, "scope", "Device")).collect();
    if batteries.is_empty() {
        return None;
    }
    let levels: Option<Vec<(u64, u64)>> = batteries.iter().map(|dir| charge(dir)).collect();
    let level = levels.and_then(|levels| {
        let (now, full) = levels
            .iter()
            .try_fold((0u64, 0u64), |(n, f), (now, full)| Some((n.checked_add(*now)?, f.checked_add(*full)?)))?;
        u8::try_from(now.checked_mul(100)?.checked_div(full)?.min(100)).ok()
    });
    let temperature = batteries.iter().filter_map(|dir| read_number::<i64>(dir.join("temp")));
    Some(Battery {
        level_percent: level,
        charging: on_power(&batteries, &supplies),
        full: is_full(&batteries),
        // In tenths of a degree.
        temperature_milli_c: temperature.filter_map(|tenths| plausible(tenths.checked_mul(100)?)).max(),
    })
}

/// Now and when full, in any unit. Without the amounts every battery counts the same.
fn charge(dir: &Path) -> Option<(u64, u64)> {
    let pair = |now: &str, full: &str| {
        let (now, full): (u64, u64) = (read_number(dir.join(now))?, read_number(dir.join(full))?);
        (full > 0 && now <= full.saturating_mul(2)).then_some((now.min(full), full))
    };
    let percent = || read_number::<u64>(dir.join("capacity")).filter(|n| *n <= 100).map(|n| (n, 100));
    pair("energy_now", "energy_full").or_else(|| pair("charge_now", "charge_full")).or_else(percent)
}

fn on_power(batteries: &[&std::path::PathBuf], supplies: &[std::path::PathBuf]) -> Option<bool> {
    let status: Vec<_> = batteries.iter().filter_map(|dir| read_text(dir.join("status"))).collect();
    if status.iter().any(|s| s == "Discharging") {
        return Some(false);
    }
    // "Not charging": plugged in, but full enough to its own mind.
    if status.iter().any(|s| ["Charging", "Full", "Not charging"].contains(&s.as_str())) {
        return Some(true);
    }
    let mains = supplies
        .iter()
        .filter(|dir| read_text(dir.join("type")).is_some_and(|kind| kind == "Mains" || kind.starts_with("USB")));
    let online: Vec<u32> = mains.filter_map(|dir| read_number(dir.join("online"))).collect();
    (!online.is_empty()).then(|| online.contains(&1))
}

/// Every battery says that it is full, or is not charged any further although there is power.
fn is_full(batteries: &[&std::path::PathBuf]) -> Option<bool> {
    let mut status = batteries.iter().map(|dir| match read_text(dir.join("status"))?.as_str() {
        "Full" | "Not charging" => Some(true),
        "Charging" | "Discharging" => Some(false),
        _ => None,
    });
    status.try_fold(true, |all, full| Some(all && full?))
}

/// The output of `termux-battery-status`.
pub(super) fn termux_battery(json: &str) -> Option<Battery> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    let text = |name: &str| value.get(name)?.as_str();
    let level = value.get("percentage").and_then(serde_json::Value::as_f64);
    let level = level.filter(|level| (0.0..=100.0).contains(level)).map(|level| level as u8);
    let charging = match (text("plugged"), text("status")) {
        (Some("UNPLUGGED"), _) => Some(false),
        (Some(plugged), _) if plugged.starts_with("PLUGGED") => Some(true),
        (_, Some("CHARGING" | "FULL")) => Some(true),
        (_, Some("DISCHARGING")) => Some(false),
        _ => None,
    };
    let degrees = value.get("temperature").and_then(serde_json::Value::as_f64);
    let temperature_milli_c = degrees.and_then(|degrees| plausible((degrees * 1000.0).round() as i64));
    let full = match text("status") {
        Some("FULL" | "NOT_CHARGING") => Some(true),
        Some("CHARGING" | "DISCHARGING") => Some(false),
        _ => None,
    };
    let battery = Battery { level_percent: level, charging, full, temperature_milli_c };
    // The helper answers `{"error": …}` when its companion app is missing.
    (battery != Battery::default()).then_some(battery)
}

/// The hottest sensor of processor and board.
pub(super) fn temperature(roots: &Roots) -> Option<i32> {
    let named = |dir: &Path, prefix: &str| {
        dir.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(prefix))
    };
    let zones = entries(roots.sys.join("class/thermal")).into_iter().filter(|dir| named(dir, "thermal_zone"));
    let zones = zones.map(|dir| dir.join("temp"));
    let chips = entries(roots.sys.join("class/hwmon")).into_iter().filter(|dir| {
        let name = read_text(dir.join("name")).unwrap_or_default();
        ["coretemp", "k10temp", "zenpower", "cpu_thermal", "acpitz"].contains(&name.as_str())
    });
    let inputs = chips
        .flat_map(entries)
        .filter(|file| named(file, "temp") && file.to_str().is_some_and(|path| path.ends_with("_input")));
    zones.chain(inputs).filter_map(|file| plausible(read_number(file)?)).max()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn two_batteries_are_one_and_the_mouse_is_none() {
        let fixture = Fixture::new(&[
            ("sys/class/power_supply/AC/type", "Mains"),
            ("sys/class/power_supply/AC/online", "0"),
            ("sys/class/power_supply/BAT0/type", "Battery"),
            ("sys/class/power_supply/BAT0/energy_now", "10"),
            ("sys/class/power_supply/BAT0/energy_full", "30"),
            ("sys/class/power_supply/BAT0/status", "Unknown"),
            ("sys/class/power_supply/BAT0/temp", "312"),
            ("sys/class/power_supply/BAT1/type", "Battery"),
            ("sys/class/power_supply/BAT1/charge_now", "40"),
            ("sys/class/power_supply/BAT1/charge_full", "70"),
            ("sys/class/power_supply/BAT1/status", "Discharging"),
            ("sys/class/power_supply/mouse/type", "Battery"),
            ("sys/class/power_supply/mouse/scope", "Device"),
            ("sys/class/power_supply/mouse/capacity", "3"),
        ]);
        let battery = |level, charging, temperature_milli_c| {
            Some(Battery { level_percent: level, charging, full: None, temperature_milli_c })
        };
        assert_eq!(self::battery(&fixture.roots()), battery(Some(50), Some(false), Some(31_200)));
        fixture.write("sys/class/power_supply/BAT1/status", "Unknown");
        fixture.write("sys/class/power_supply/AC/online", "1");
        assert_eq!(self::battery(&fixture.roots()), battery(Some(50), Some(true), Some(31_200)));
        fixture.write("sys/class/power_supply/BAT1/charge_full", "0");
        fixture.write("sys/class/power_supply/BAT0/temp", "-2740");
        assert_eq!(self::battery(&fixture.roots()), battery(None, Some(true), None), "half known is not known");
        assert_eq!(self::battery(&Fixture::new(&[]).roots()), None);
    }

    #[test]
    fn a_battery_that_is_held_at_80_percent_is_full() {
        let fixture = Fixture::new(&[
            ("sys/class/power_supply/BAT0/type", "Battery"),
            ("sys/class/power_supply/BAT0/capacity", "80"),
            ("sys/class/power_supply/BAT0/status", "Not charging"),
        ]);
        let seen = |status: &str| {
            fixture.write("sys/class/power_supply/BAT0/status", status);
            let battery = battery(&fixture.roots()).unwrap();
            (battery.charging, battery.full)
        };
        assert_eq!(seen("Not charging"), (Some(true), Some(true)));
        assert_eq!(seen("Full"), (Some(true), Some(true)));
        assert_eq!(seen("Charging"), (Some(true), Some(false)));
        assert_eq!(seen("Discharging"), (Some(false), Some(false)));
        assert_eq!(seen("Unknown"), (None, None));
    }

    #[test]
    fn termux_tells_of_the_battery_or_not() {
        let json = r#"{"health": "GOOD", "percentage": 85, "plugged": "UNPLUGGED", "status": "DISCHARGING",
                       "temperature": 28.799999237060547, "current": -235000}"#;
        let expected = Battery {
            level_percent: Some(85),
            charging: Some(false),
            full: Some(false),
            temperature_milli_c: Some(28_800),
        };
        assert_eq!(termux_battery(json), Some(expected));
        let json = r#"{"percentage": 101, "plugged": "PLUGGED_AC", "temperature": 0.0}"#;
        let expected = Battery { charging: Some(true), ..Battery::default() };
        assert_eq!(termux_battery(json), Some(expected));
        for nothing in ["", "null", "[]", r#"{"error": "no app"}"#, "Termux:API is not installed"] {
            assert_eq!(termux_battery(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_hottest_plausible_sensor_counts() {
        let fixture = Fixture::new(&[
            ("sys/class/thermal/thermal_zone0/temp", "45000"),
            ("sys/class/thermal/thermal_zone1/temp", "-274000"),
            ("sys/class/thermal/thermal_zone2/temp", "999000"),
            ("sys/class/thermal/cooling_device0/temp", "99000"),
            ("sys/class/hwmon/hwmon0/name", "coretemp"),
            ("sys/class/hwmon/hwmon0/temp2_input", "51500"),
            ("sys/class/hwmon/hwmon0/temp2_crit", "100000"),
            ("sys/class/hwmon/hwmon1/name", "nvme"),
            ("sys/class/hwmon/hwmon1/temp1_input", "70000"),
        ]);
        assert_eq!(temperature(&fixture.roots()), Some(51_500));
        assert_eq!(temperature(&Fixture::new(&[("sys/class/thermal/thermal_zone0/temp", "hot")]).roots()), None);
    }
}
