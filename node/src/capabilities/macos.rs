//! What macOS's own programs tell, from text to values. Pure, and compiled wherever there are tests: the texts were recorded.

use super::{Battery, NO_GPU};

/// The output of `pmset -g batt`. The outer `None`: it is something else; the inner: there is no battery.
pub(super) fn battery(text: &str) -> Option<Option<Battery>> {
    let drawing = text.lines().find_map(|line| line.trim().strip_prefix("Now drawing from "))?;
    let on_power = match drawing.trim().trim_matches('\'') {
        "AC Power" | "UPS Power" => Some(true),
        "Battery Power" => Some(false),
        _ => None,
    };
    // ` -InternalBattery-0 (id=4653155)\t95%; discharging; 5:42 remaining present: true`
    let Some(line) = text.lines().find(|line| line.trim_start().starts_with("-InternalBattery")) else {
        return Some(None);
    };
    let mut parts = line.split(';').map(str::trim);
    let level = parts.next().and_then(|first| first.rsplit([' ', '\t', ')']).next()?.strip_suffix('%')?.parse().ok());
    let rest: Vec<_> = parts.collect();
    let says = |word: &str| rest.iter().any(|part| *part == word || part.starts_with(&format!("{word} ")));
    let full = if says("charged") || says("not charging") || says("finishing charge") {
        Some(true)
    } else if says("charging") || says("discharging") {
        Some(false)
    } else {
        None
    };
    Some(Some(Battery {
        level_percent: level.filter(|level| *level <= 100),
        charging: if says("discharging") { Some(false) } else { on_power },
        full,
        temperature_milli_c: None,
    }))
}

/// The output of `system_profiler SPDisplaysDataType`.
pub(super) fn gpu(text: &str) -> Option<String> {
    let models = text.lines().filter_map(|line| line.trim().strip_prefix("Chipset Model:"));
    let names: Vec<String> = models.map(|model| super::hardware::maker(model).to_owned()).collect();
    if names.is_empty() {
        // It prints the heading also of a Mac without a display.
        return text.contains("Graphics/Displays").then(|| NO_GPU.to_owned());
    }
    let best = names.iter().find(|name| *name != "intel").or_else(|| names.first());
    best.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pmset_tells_of_the_battery() {
        let text = |source: &str, rest: &str| {
            format!("Now drawing from '{source}'\n -InternalBattery-0 (id=4653155)\t{rest} present: true\n")
        };
        let cases = [
            ("Battery Power", "95%; discharging; 5:42 remaining", (Some(95), Some(false), Some(false))),
            ("Battery Power", "95%; discharging; (no estimate)", (Some(95), Some(false), Some(false))),
            ("AC Power", "67%; charging; 1:03 remaining", (Some(67), Some(true), Some(false))),
            ("AC Power", "100%; charged; 0:00 remaining", (Some(100), Some(true), Some(true))),
            ("AC Power", "80%; AC attached; not charging", (Some(80), Some(true), Some(true))),
            ("AC Power", "99%; finishing charge; 0:10 remaining", (Some(99), Some(true), Some(true))),
            ("Moon Power", "999%; humming;", (None, None, None)),
        ];
        for (source, rest, (level, charging, full)) in cases {
            let expected = Battery { level_percent: level, charging, full, temperature_milli_c: None };
            assert_eq!(battery(&text(source, rest)), Some(Some(expected)), "{rest}");
        }
        assert_eq!(battery("Now drawing from 'AC Power'\n"), Some(None), "a Mac mini");
        assert_eq!((battery(""), battery("command not found: pmset")), (None, None));
    }

    #[test]
    fn graphics_processors_are_named_by_their_maker() {
        let text = "Graphics/Displays:\n\n    Intel Iris Plus:\n\n      Chipset Model: Intel Iris Plus Graphics\n\n\
                    \n    AMD:\n      Chipset Model: AMD Radeon Pro 5300M\n";
        assert_eq!(gpu(text).as_deref(), Some("amd"));
        assert_eq!(gpu("Graphics/Displays:\n    Apple M1:\n      Chipset Model: Apple M1\n").as_deref(), Some("apple"));
        assert_eq!(gpu("Graphics/Displays:\n").as_deref(), Some(NO_GPU));
        assert_eq!(gpu(""), None);
    }
}
