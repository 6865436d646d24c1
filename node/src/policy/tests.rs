//! Tables: a line is what the sensors say at a moment, and what the policy must say to it.

use super::*;
use crate::capabilities::Battery;
use rc_scheduler::{Blocked, Mono, Span};
use std::collections::BTreeMap;

/// Tuesday 2026-03-10, 12:00 UTC.
const NOON_MS: u64 = 1_773_144_000_000;

fn moment(minutes: u64) -> Moment {
    Moment { mono: Mono(1_000_000 + minutes * 60_000_000), wall_ms: NOON_MS + minutes * 60_000, ahead_s: 0 }
}

fn rules(limits: &[(&str, &str)]) -> Rules {
    let limits = limits.iter().map(|(key, value)| (Key::from_word(key).unwrap(), (*value).to_owned()));
    Rules::none().with(&limits.collect()).unwrap()
}

/// A word each for level, charger and what it does: `34 off -`, `80 on full`, `? ? -`; `-` alone is no battery.
fn battery(text: &str) -> Readings {
    let words: Vec<_> = text.split_whitespace().collect();
    let [level, charger, does] = words[..] else { return Readings::default() };
    let battery = Battery {
        level_percent: level.parse().ok(),
        charging: match charger {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        },
        full: (does == "full").then_some(true),
        temperature_milli_c: None,
    };
    Readings { power: Power::Battery(battery), ..Readings::default() }
}

/// Lines of `minute | readings | what the policy says`, where `-` is nothing.
fn table(limits: &[(&str, &str)], lines: &str, read: impl Fn(&str) -> Readings) {
    let mut policy = Policy::new(rules(limits), Order::default(), moment(0));
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let now = moment(cells[0].parse().unwrap());
        let verdict = policy.judge(&read(cells[1]), now, true);
        let texts: Vec<_> = verdict.reasons.iter().map(|reason| reason.text.as_str()).collect();
        let said = if texts.is_empty() { "-".to_owned() } else { texts.join(" + ") };
        assert_eq!(said, cells[2], "{line}");
    }
}

#[test]
fn a_battery_is_spared_until_it_has_recovered() {
    let lines = "
         0 | 41 off -  | -
         1 | 40 off -  | -
         2 | 39 off -  | battery 39 % (min 40 %), resumes at 60 %
         3 | 45 on -   | battery 45 % (min 40 %), resumes at 60 %
         4 | ? ? -     | battery level not known now (min 40 %), resumes at 60 %
         5 | 59 on -   | battery 59 % (min 40 %), resumes at 60 %
         6 | 60 on -   | -
         7 | 59 off -  | -
         8 | ? ? -     | -
         9 | 12 off -  | battery 12 % (min 40 %), resumes at 60 %
        10 | -         | -
        11 | 50 off -  | -";
    table(&[("battery.min", "40")], lines, battery);
}

#[test]
fn a_battery_that_falls_does_not_count_as_recovered() {
    let lines = "
         0 | 70 off -  | -
         1 | 30 off -  | battery 30 % (min 40 %), resumes at 60 %
         2 | 59 on -   | battery 59 % (min 40 %), resumes at 60 %
         3 | 58 on -   | battery 58 % (min 40 %), resumes at 60 %
         4 | 64 on -   | -
         5 | 30 off -  | battery 30 % (min 40 %), resumes at 60 %";
    table(&[("battery.min", "40")], lines, battery);
    // It comes back from a longer sleep: charged meanwhile, and falling since.
    let lines = "
         0 | 30 off -  | battery 30 % (min 40 %), resumes at 65 %
         1 | 90 ? -    | -";
    table(&[("battery.min", "40"), ("battery.resume", "65")], lines, battery);
    let lines = "
         0 | 79 off -  | battery 79 % (min 80 %), resumes at 80 %
         1 | 78 off -  | battery 78 % (min 80 %), resumes at 80 %";
    table(&[("battery.min", "80"), ("battery.resume", "80")], lines, battery);
}

#[test]
fn a_battery_that_is_not_filled_further_is_recovered() {
    // Phones and laptops can be told to stop at 80 %.
    let lines = "
         0 | 45 off -   | battery 45 % (min 50 %), resumes at 95 %
         1 | 80 on -    | battery 80 % (min 50 %), resumes at 95 %
         2 | 80 on full | -
         3 | 79 on full | -";
    table(&[("battery.min", "50"), ("battery.resume", "95")], lines, battery);
    let lines = "
         0 | 30 on full | battery 30 % (min 40 %), resumes at 60 %";
    table(&[("battery.min", "40")], lines, battery);
}

#[test]
fn a_level_that_falls_is_not_enough_until_it_stands_still() {
    let mut policy = Policy::new(rules(&[("battery.min", "40")]), Order::default(), moment(0));
    let mut at = |minute, text: &str, resume: &str| {
        policy.set_rules(rules(&[("battery.min", "40"), ("battery.resume", resume)]));
        policy.judge(&battery(text), moment(minute), true).reasons.pop().map(|reason| reason.text)
    };
    let low = |level| Some(format!("battery {level} % (min 40 %), resumes at 60 %"));
    let falls = Some("battery 51 % and falling (min 40 %), resumes when it does not fall".to_owned());
    assert_eq!((at(0, "39 off -", "60"), at(1, "52 on -", "60"), at(2, "51 on -", "60")), (low(39), low(52), low(51)));
    assert_eq!((at(3, "51 on -", "50"), at(31, "51 on -", "50")), (falls.clone(), falls));
    assert_eq!(at(32, "51 on -", "50"), None, "half an hour is long enough");
    assert!(at(33, "30 off -", "50").is_some());
    policy.set_rules(rules(&[("battery.min", "20"), ("battery.resume", "50")]));
    assert_eq!(policy.judge(&battery("30 off -"), moment(34), true), Verdict::default(), "a lower limit means now");
}

#[test]
fn charging_is_proven_and_feeds_more_than_the_work_takes() {
    let lines = "
         0 | 90 off -   | runs on battery (charge_only)
         1 | 90 ? -     | not known whether it charges (charge_only; on a phone, Termux:API tells)
         2 | 50 on -    | -
         3 | 48 on -    | -
         4 | 47 on -    | charging but falling: 47 % after 50 % (charge_only), resumes at 49 %
         5 | 46 on -    | charging but falling: 46 % after 50 % (charge_only), resumes at 48 %
         6 | 47 on -    | charging but falling: 47 % after 50 % (charge_only), resumes at 48 %
         7 | ? on -     | charging but falling (charge_only)
         8 | 48 on -    | -
         9 | 46 on -    | -
        10 | 45 off -   | runs on battery (charge_only)
        11 | 44 on -    | -
        12 | 80 on full | -
        13 | 77 on full | -
        14 | -          | -";
    table(&[("charge_only", "on")], lines, battery);
    let phone =
        Readings::of(&crate::capabilities::Capabilities { platform: "android".to_owned(), ..Default::default() });
    let mut policy = Policy::new(Rules::new(true), Order::default(), moment(0));
    let said = policy.judge(&phone, moment(0), true);
    assert!(said.gives_up() && said.reasons[0].text.contains("not known"), "{said:?}");
    let desk = Readings::of(&crate::capabilities::Capabilities { platform: "linux".to_owned(), ..Default::default() });
    assert_eq!(policy.judge(&desk, moment(1), true), Verdict::default(), "no battery, nothing to spare");
}

#[test]
fn what_is_hot_cools_down_first() {
    let read = |text: &str| {
        let (battery, device) = text.split_once(' ').unwrap();
        let milli = |text: &str| text.parse().ok().map(|degrees: f64| (degrees * 1000.0) as i32);
        let battery = Battery { temperature_milli_c: milli(battery), ..Battery::default() };
        Readings { power: Power::Battery(battery), temperature_milli_c: milli(device), ..Readings::default() }
    };
    let lines = "
         0 | 39.9 70 | -
         1 | 40.0 70 | -
         2 | 40.1 70 | battery 41 °C (max 40 °C), resumes at 36 °C
         3 | 36.1 70 | battery 37 °C (max 40 °C), resumes at 36 °C
         4 | ? ?     | temperature not known now (max 40 °C), resumes at 36 °C
         5 | 36.0 70 | -
         6 | 39.0 70 | -";
    table(&[("temp.max", "40")], lines, read);
    let lines = "
         0 | ? 60    | -
         1 | ? 81    | device 81 °C (max 80 °C), resumes at 70 °C
         2 | ? 70    | -
         3 | ? ?     | -";
    table(&[("temp.max", "80"), ("temp.resume", "70")], lines, read);
    // What nobody has chosen is about batteries: a processor may be that warm.
    let mut policy = Policy::new(Rules::new(false), Order::default(), moment(0));
    assert_eq!(policy.judge(&read("? 60"), moment(0), true), Verdict::default());
}

#[test]
fn hours_are_kept() {
    // Tuesday noon and on.
    let cases = [
        ("22:00-07:00", 0, Some("outside its hours (22:00-07:00), until 22:00")),
        ("22:00-07:00", 600, None),
        ("22:00-07:00", 1139, None),
        ("22:00-07:00", 1140, Some("outside its hours (22:00-07:00), until 22:00")),
        ("09:00-17:00", 0, None),
        ("09:00-17:00", 300, Some("outside its hours (09:00-17:00), until 09:00")),
        ("sat-sun 00:00-24:00", 0, Some("outside its hours (sat-sun 00:00-24:00), until sat 00:00")),
        ("sat-sun 00:00-24:00", 5 * 1440, None),
        ("sat-sun 00:00-24:00", 5 * 1440 + 719, None),
        ("sat-sun 00:00-24:00", 5 * 1440 + 720, Some("outside its hours (sat-sun 00:00-24:00), until sat 00:00")),
        ("mon 23:00-01:00", 0, Some("outside its hours (mon 23:00-01:00), until mon 23:00")),
        ("mon 23:00-01:00", 6 * 1440 + 750, None),
        ("tue 11:00-11:30", 0, Some("outside its hours (tue 11:00-11:30), until tue 11:00")),
        ("08:00-09:00, 12:00-12:01", 0, None),
        ("fri-mon 10:00-20:00", 0, Some("outside its hours (fri-mon 10:00-20:00), until fri 10:00")),
        ("fri-mon 10:00-20:00", 6 * 1440, None),
    ];
    for (text, minutes, expected) in cases {
        let mut policy = Policy::new(rules(&[("windows", text)]), Order::default(), moment(0));
        let verdict = policy.judge(&Readings::default(), moment(minutes), true);
        let said = verdict.reasons.first().map(|reason| reason.text.as_str());
        assert_eq!(said, expected, "{text} after {minutes} minutes");
    }
    let mut policy = Policy::new(rules(&[("windows", "13:00-14:00")]), Order::default(), moment(0));
    let berlin = Moment { ahead_s: 3600, ..moment(0) };
    assert_eq!(policy.judge(&Readings::default(), berlin, true), Verdict::default());
    let unset = Moment { wall_ms: 1000, ..moment(0) };
    let said = policy.judge(&Readings::default(), unset, true);
    assert_eq!(said.reasons[0].text, "the time of day is not known (windows)");
}

#[test]
fn a_ceiling_is_broken_twice_in_a_row_and_gives_nothing_up() {
    let read = |text: &str| Readings { cpu_permille: text.parse().ok(), ..Readings::default() };
    let busy = "processor above 50 %, resumes at 40 %";
    let lines = format!(
        "
         0 | 501 | -
         1 | 500 | -
         2 | 900 | -
         3 | ?   | -
         4 | 900 | {busy}
         5 | 410 | {busy}
         6 | 300 | {busy}
         7 | 401 | {busy}
         8 | 400 | {busy}
         9 | ?   | {busy}
        10 | 20  | -
        11 | ?   | -"
    );
    table(&[("cpu.max", "50%")], &lines, read);
    let mut policy = Policy::new(rules(&[("mem.max", "80")]), Order::default(), moment(0));
    let full = Readings { memory_permille: Some(990), ..Readings::default() };
    assert_eq!(policy.judge(&full, moment(0), true), Verdict::default());
    assert_eq!(policy.judge(&full, moment(0), false), Verdict::default(), "the same look counts once");
    let said = policy.judge(&full, moment(1), true);
    assert!(!said.reasons.is_empty() && !said.gives_up(), "{said:?}");
}

#[test]
fn a_pause_ends_by_itself_or_by_word_and_survives() {
    let half_hour = Pause::new(Some(Span::from_secs(1800)), moment(0));
    let mut policy = Policy::new(Rules::none(), Order::default(), moment(0));
    policy.pause(half_hour, moment(0));
    let said = policy.judge(&Readings::default(), moment(1), false);
    let until_wall_ms = said.reasons[0].until_wall_ms;
    let reason = Reason { by: Blocked::Paused, text: "until 12:30".to_owned(), gives_up: true, until_wall_ms };
    assert_eq!(said, Verdict { reasons: vec![reason], again: Some(moment(30).mono) });
    let kept = policy.order(moment(10));
    assert_eq!(kept.pause.unwrap().left_ms, Some(20 * 60_000));
    assert_eq!(policy.judge(&Readings::default(), moment(30), false), Verdict::default());

    // After a start: by the wall if that is sooner, and never longer than what was left, whatever the clock says.
    let start = |wall_ms, minutes: u64| {
        let now = Moment { wall_ms, ..moment(0) };
        let mut policy = Policy::new(Rules::none(), kept, now);
        let later = Moment { mono: moment(minutes).mono, wall_ms: wall_ms + minutes * 60_000, ahead_s: 0 };
        policy.judge(&Readings::default(), later, false).reasons.len()
    };
    assert_eq!((start(NOON_MS + 25 * 60_000, 4), start(NOON_MS + 25 * 60_000, 5)), (1, 0));
    assert_eq!((start(1000, 19), start(1000, 20)), (1, 0), "the clock forgot the time");
    assert_eq!(start(NOON_MS + 24 * 3_600_000, 0), 0);

    policy.pause(Pause::new(None, moment(0)), moment(0));
    let said = policy.judge(&Readings::default(), moment(10_000), false);
    assert_eq!((said.reasons[0].text.as_str(), said.again), ("", None));
    assert!(policy.resume() && !policy.resume());
    assert!(policy.drain(true) && !policy.drain(true));
    let said = policy.judge(&Readings::default(), moment(0), false);
    assert_eq!(
        said.reasons,
        [Reason { by: Blocked::Draining, text: String::new(), gives_up: false, until_wall_ms: None }]
    );
    assert!(policy.order(moment(0)).drain);
}

#[test]
fn limits_are_read_shown_and_checked() {
    let set = |pairs: &[(&str, &str)]| -> Result<Rules, RulesError> {
        let limits: Result<BTreeMap<_, _>, _> =
            pairs.iter().map(|(key, value)| Ok((Key::from_word(key)?, (*value).to_owned()))).collect();
        Rules::new(false).with(&limits?)
    };
    let shown = |rules: &Rules| Key::ALL.iter().map(|key| rules.get(*key)).collect::<Vec<_>>().join(" | ");
    assert_eq!(shown(&Rules::new(true)), "40 | 60 | on | 40 | 36 | off | off | off | off");
    let all = [
        ("battery.min", "30 %"),
        ("charge_only", "yes"),
        ("temp.max", "45 °C"),
        ("windows", "sat-sun 8:00-9:00"),
        ("cpu.max", "50%"),
        ("max_tasks", "3"),
    ];
    assert!(matches!(set(&all), Err(RulesError::Value { key: Key::Windows, .. })), "hours have two digits");
    let all = all.map(|(key, value)| (key, if key == "windows" { "Sat-Sun  08:00-09:00,22:00-24:00" } else { value }));
    let set_all = set(&all).unwrap();
    assert_eq!(shown(&set_all), "30 | 60 | on | 45 | 41 | sat-sun 08:00-09:00, 22:00-24:00 | 50 | off | 3");
    assert_eq!(shown(&set(&[("battery.min", "off")]).unwrap()), "off | 60 | off | 40 | 36 | off | off | off | off");
    // Of a pair the one that was not said gives way.
    assert_eq!(set(&[("battery.min", "70")]).unwrap().get(Key::BatteryResume), "70");
    assert_eq!(set(&[("battery.resume", "30")]).unwrap().get(Key::BatteryMin), "30");
    assert_eq!(set(&[("temp.resume", "50")]).unwrap().get(Key::TempMax), "50");
    assert!(matches!(set(&[("battery.min", "70"), ("battery.resume", "60")]), Err(RulesError::Order { .. })));
    assert!(matches!(set(&[("temp.max", "40"), ("temp.resume", "41")]), Err(RulesError::Order { .. })));
    let bad = [
        ("battery.min", "101"),
        ("battery.min", "-1"),
        ("battery.min", "x"),
        ("charge_only", "maybe"),
        ("temp.max", "0"),
        ("temp.max", "400"),
        ("windows", ""),
        ("windows", "22:00"),
        ("windows", "22:00-22:00"),
        ("windows", "25:00-26:00"),
        ("windows", "12:60-13:00"),
        ("windows", "someday 12:00-13:00"),
        ("windows", "24:00-01:00"),
        ("cpu.max", "100"),
        ("mem.max", "0"),
        ("max_tasks", "0"),
        ("max_tasks", "2000"),
    ];
    for (key, value) in bad {
        assert!(matches!(set(&[(key, value)]), Err(RulesError::Value { .. })), "{key}={value}");
    }
    let unknown = set(&[("battery.max", "1")]).unwrap_err().to_string();
    assert!(unknown.contains("battery.max") && unknown.contains("battery.min"), "{unknown}");
}
