//! Who wins, what is kept, and what others are told.

use super::*;

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
