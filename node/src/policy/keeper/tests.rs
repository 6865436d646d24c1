//! Who wins, what is kept, and what others are told.

use super::*;
use crate::capabilities::Battery;
use crate::policy::Power;

fn now() -> Moment {
    Moment { mono: Mono(1_000_000), wall_ms: 1_773_144_000_000, ahead_s: 0 }
}

fn limits(pairs: &[(Key, &str)]) -> Limits {
    pairs.iter().map(|(key, value)| (*key, (*value).to_owned())).collect()
}

fn set(pairs: &[(Key, &str)]) -> Ask {
    Ask::Set(pairs.iter().map(|(key, value)| (*key, (*value != "-").then(|| (*value).to_owned()))).collect())
}

fn value(report: &PolicyReport, key: Key) -> (String, Source) {
    let limit = report.limits.iter().find(|limit| limit.key == key).unwrap();
    (limit.value.clone(), limit.source)
}

#[test]
fn flags_win_over_what_was_set_and_that_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = limits(&[(Key::BatteryMin, "30"), (Key::CpuMax, "70"), (Key::MemMax, "80")]);
    let flags = limits(&[(Key::MemMax, "90")]);
    let open = || Keeper::open(Rules::new(false), &file, &flags, dir.path(), now()).unwrap();
    let mut keeper = open();
    let shown = keeper.answer(Ask::Show, now()).unwrap();
    assert_eq!(value(&shown, Key::BatteryMin), ("30".to_owned(), Source::File));
    assert_eq!(value(&shown, Key::MemMax), ("90".to_owned(), Source::Flag));
    assert_eq!(value(&shown, Key::TempMax), ("40".to_owned(), Source::Default));
    keeper.answer(set(&[(Key::CpuMax, "50"), (Key::BatteryMin, "20")]), now()).unwrap();
    let fixed = keeper.answer(set(&[(Key::MemMax, "50")]), now());
    assert!(matches!(fixed, Err(PolicyError::Fixed(Key::MemMax))));
    assert!(keeper.answer(set(&[(Key::CpuMax, "20"), (Key::BatteryMin, "x")]), now()).is_err());
    let shown = open().answer(Ask::Show, now()).unwrap();
    assert_eq!(value(&shown, Key::CpuMax), ("50".to_owned(), Source::Set), "kept, and all or nothing");
    let shown = keeper.answer(set(&[(Key::CpuMax, "-"), (Key::TempMax, "-")]), now()).unwrap();
    assert_eq!(value(&shown, Key::CpuMax), ("70".to_owned(), Source::File));
}

#[test]
fn of_a_pair_that_was_set_apart_the_later_word_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::open(Rules::new(false), &Limits::new(), &Limits::new(), dir.path(), now()).unwrap();
    keeper.answer(set(&[(Key::BatteryMin, "20")]), now()).unwrap();
    keeper.answer(set(&[(Key::BatteryResume, "30")]), now()).unwrap();
    let shown = keeper.answer(set(&[(Key::BatteryMin, "50")]), now()).unwrap();
    assert_eq!((value(&shown, Key::BatteryMin).0.as_str(), value(&shown, Key::BatteryResume).0.as_str()), ("50", "60"));
    let contradiction = keeper.answer(set(&[(Key::BatteryMin, "50"), (Key::BatteryResume, "40")]), now());
    assert!(matches!(contradiction, Err(PolicyError::Rules(RulesError::Order { .. }))), "{contradiction:?}");
}

#[test]
fn what_runs_is_given_up_once_and_others_are_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::open(Rules::new(false), &Limits::new(), &Limits::new(), dir.path(), now()).unwrap();
    let mut capacity = Capacity { max_concurrent_tasks: 5, ..Capacity::default() };
    keeper.judge(Readings::default(), now(), true);
    assert!(!keeper.apply(&mut capacity) && capacity.blocked.is_empty());
    keeper.answer(Ask::Drain(true), now()).unwrap();
    assert!(!keeper.apply(&mut capacity));
    assert_eq!(capacity.blocked, [Blocked::Draining].into());
    keeper.answer(Ask::Pause(Some(Span::from_secs(600))), now()).unwrap();
    assert!(keeper.apply(&mut capacity) && !keeper.apply(&mut capacity), "once");
    assert_eq!(capacity.blocked_why, [(Blocked::Paused, "until 12:10".to_owned())].into());
    keeper.answer(Ask::Resume, now()).unwrap();
    keeper.answer(set(&[(Key::MaxTasks, "2")]), now()).unwrap();
    assert!(!keeper.apply(&mut capacity));
    assert_eq!((capacity.blocked.len(), capacity.max_concurrent_tasks), (1, 2));
    keeper.answer(Ask::Pause(None), now()).unwrap();
    assert!(keeper.apply(&mut capacity), "again");

    let mut later = Keeper::open(Rules::new(false), &Limits::new(), &Limits::new(), dir.path(), now()).unwrap();
    later.judge(Readings::default(), now(), true);
    assert!(later.apply(&mut capacity), "a start does not end a pause");
    assert_eq!(capacity.blocked, [Blocked::Paused, Blocked::Draining].into());
}

#[test]
fn a_battery_that_is_spared_is_spared_after_a_restart_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = limits(&[(Key::BatteryMin, "40"), (Key::BatteryResume, "60")]);
    let open = |file: &Limits| Keeper::open(Rules::new(false), file, &Limits::new(), dir.path(), now()).unwrap();
    let at = |level, milli_c| Readings {
        power: Power::Battery(Battery {
            level_percent: Some(level),
            charging: Some(true),
            full: Some(false),
            temperature_milli_c: Some(milli_c),
        }),
        ..Readings::default()
    };
    let says = |keeper: &mut Keeper, readings| {
        keeper.judge(readings, now(), true);
        keeper.reasons.iter().map(|reason| reason.text.clone()).collect::<Vec<_>>()
    };
    assert!(says(&mut open(&file), at(45, 20_000)).is_empty(), "nothing was said before");
    assert_eq!(says(&mut open(&file), at(39, 41_000)).len(), 2, "too low and too hot");
    let mut again = open(&file);
    let texts = says(&mut again, at(45, 38_000));
    assert_eq!(texts, ["battery 45 % (min 40 %), resumes at 60 %", "battery 38 °C (max 40 °C), resumes at 36 °C"]);
    assert_eq!(says(&mut open(&file), at(46, 36_000)), ["battery 46 % (min 40 %), resumes at 60 %"], "it has cooled");
    let other = limits(&[(Key::BatteryMin, "30"), (Key::BatteryResume, "60")]);
    assert!(says(&mut open(&other), at(46, 38_000)).is_empty(), "another limit means from now on");
    says(&mut open(&file), at(39, 20_000));
    assert!(says(&mut open(&file), at(60, 20_000)).is_empty(), "it has recovered");
    assert!(says(&mut open(&file), at(45, 20_000)).is_empty(), "and that is known the next time");
    says(&mut open(&file), at(39, 20_000));
    std::fs::write(dir.path().join("policy-state.json"), "nonsense").unwrap();
    assert!(says(&mut open(&file), at(45, 20_000)).is_empty(), "a memory that makes no sense is none");
}

#[test]
fn a_charger_that_does_not_keep_up_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Keeper::open(Rules::new(true), &Limits::new(), &Limits::new(), dir.path(), now()).unwrap();
    let at = |level, charging| {
        let battery = Battery { level_percent: Some(level), charging: Some(charging), ..Battery::default() };
        Readings { power: Power::Battery(battery), ..Readings::default() }
    };
    let works = |keeper: &mut Keeper, readings| {
        keeper.judge(readings, now(), true);
        keeper.reasons.is_empty()
    };
    let mut keeper = open();
    assert!(works(&mut keeper, at(80, true)));
    assert!(!works(&mut keeper, at(77, true)), "three points lost while it charges");
    let mut keeper = open();
    assert!(!works(&mut keeper, at(77, true)) && !works(&mut keeper, at(78, true)));
    assert!(works(&mut keeper, at(79, true)), "it rises");
    assert!(works(&mut open(), at(79, true)));
}
