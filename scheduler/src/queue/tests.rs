use super::*;
use alloc::format;
use alloc::string::ToString;

fn spec(task_type: &str, priority: Priority) -> TaskSpec {
    TaskSpec { task_type: task_type.to_string(), priority, ..TaskSpec::default() }
}

fn task(n: u32) -> TaskId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.to_be_bytes());
    TaskId(id)
}

const fn at(seconds: u64) -> Mono {
    Mono(seconds * 1_000_000)
}

impl Queue {
    fn put(&mut self, n: u32, spec: &TaskSpec, since: Mono) {
        self.insert(task(n), spec, Class::of(spec, Share::of(spec, None), &[]), since);
    }

    fn first(&self, now: Mono) -> Option<TaskId> {
        self.next(now, &RunTimes::default()).map(|head| head.task)
    }
}

#[test]
fn urgent_goes_ahead_and_background_is_not_starved() {
    let mut queue = Queue::default();
    queue.put(1, &spec("echo", Priority::Background), Mono(0));
    queue.put(2, &spec("echo", Priority::Urgent), at(1));
    assert_eq!(queue.first(at(2)), Some(task(2)));
    queue.remove(task(2));
    queue.put(3, &spec("echo", Priority::Urgent), at(899));
    assert_eq!(queue.first(at(899)), Some(task(3)));
    queue.remove(task(3));
    queue.put(4, &spec("echo", Priority::Urgent), at(901));
    assert_eq!(queue.first(at(901)), Some(task(1)));
    assert_eq!(queue.top(at(901), &RunTimes::default()), Some(Priority::Urgent));
}

#[test]
fn tasks_of_a_type_that_runs_long_gain_less_by_waiting() {
    let (mut queue, mut runs) = (Queue::default(), RunTimes::default());
    runs.sample("long", Span::from_secs(9), true);
    queue.put(1, &spec("long", Priority::Low), Mono(0));
    queue.put(2, &spec("echo", Priority::Low), at(90));
    // 300 + 100 / 10 against 300 + 10.
    assert_eq!(queue.next(at(99), &runs).map(|head| head.task), Some(task(1)));
    assert_eq!(queue.next(at(101), &runs).map(|head| head.task), Some(task(2)));
}

#[test]
fn a_stuck_head_holds_up_only_its_own_line() {
    let mut queue = Queue::default();
    queue.put(1, &spec("rare", Priority::Urgent), Mono(0));
    queue.put(2, &spec("echo", Priority::Low), Mono(0));
    let head = queue.next(Mono(1), &RunTimes::default()).unwrap();
    assert_eq!((head.task, head.priority), (task(1), Priority::Urgent));
    queue.stick(head.class);
    assert_eq!(queue.first(Mono(1)), Some(task(2)));
    assert_eq!(queue.top(Mono(1), &RunTimes::default()), Some(Priority::Urgent));
    queue.unstick(|head| head != task(1));
    assert_eq!(queue.first(Mono(1)), Some(task(2)));
    queue.unstick(|head| head == task(1));
    assert_eq!(queue.first(Mono(1)), Some(task(1)));
}

#[test]
fn within_a_line_the_oldest_is_first() {
    let mut queue = Queue::default();
    queue.put(2, &spec("echo", Priority::Normal), Mono(5));
    queue.put(1, &spec("echo", Priority::Normal), Mono(9));
    queue.put(2, &spec("echo", Priority::Normal), Mono(99));
    assert_eq!(queue.first(Mono(10)), Some(task(2)));
    assert_eq!(queue.len(), 2);
    queue.remove(task(2));
    queue.remove(task(1));
    assert_eq!(queue.first(Mono(10)), None);
    assert_eq!(queue.top(Mono(10), &RunTimes::default()), None);
}

#[test]
fn a_task_that_a_device_failed_does_not_hold_up_those_behind_it() {
    let mut queue = Queue::default();
    let echo = spec("echo", Priority::Normal);
    let failed = Class::of(&echo, Share::default(), &[crate::id::DeviceId([7; 16])]);
    queue.insert(task(1), &echo, failed, Mono(0));
    queue.insert(task(2), &echo, Class::of(&echo, Share::default(), &[]), Mono(1));
    queue.stick(failed);
    assert_eq!(queue.first(Mono(2)), Some(task(2)));
}

/// One who submits a thousand tasks and one who submits ten, later: the ten are done after about twenty.
#[test]
fn submitters_take_turns_whoever_has_more_in_line() {
    let (mut queue, runs) = (Queue::default(), RunTimes::default());
    let of = |name: &str| TaskSpec { submitter: Some(name.to_string()), ..spec("echo", Priority::Normal) };
    (0..1_000).for_each(|n| queue.put(n, &of("many"), Mono(n.into())));
    for n in 0..100 {
        let first = queue.first(at(1)).unwrap();
        assert_eq!(first, task(n));
        queue.serve(first, &runs);
    }
    (5_000..5_010).for_each(|n| queue.put(n, &of("few"), at(1)));
    let mut served = alloc::vec::Vec::new();
    for _ in 0..30 {
        let first = queue.first(at(2)).unwrap();
        queue.serve(first, &runs);
        served.push(first);
    }
    let last_of_few = served.iter().rposition(|first| *first >= task(5_000)).unwrap();
    assert_eq!(served.iter().filter(|first| **first >= task(5_000)).count(), 10);
    assert!(last_of_few <= 20, "the tenth of ten came as number {last_of_few} of {served:?}");
}

/// Turns are counted in time, not in tasks: whose tasks take ten times as long has a tenth as many.
#[test]
fn turns_are_counted_in_time() {
    let (mut queue, mut runs) = (Queue::default(), RunTimes::default());
    runs.sample("long", Span::from_ms(100), true);
    runs.sample("short", Span::from_ms(10), true);
    for n in 0..1_000 {
        for (name, offset) in [("long", 0), ("short", 10_000)] {
            let spec = TaskSpec { submitter: Some(name.to_string()), ..spec(name, Priority::Normal) };
            queue.put(offset + n, &spec, Mono(0));
        }
    }
    let mut long = 0;
    for _ in 0..220 {
        let first = queue.next(at(1), &runs).unwrap().task;
        queue.serve(first, &runs);
        long += u32::from(first < task(10_000));
    }
    assert!((18..=22).contains(&long), "{long} of 220");
}

/// However many lines there are, taking the next task does not look at all of them.
#[test]
fn many_lines_are_kept_in_order() {
    let (mut queue, runs) = (Queue::default(), RunTimes::default());
    for n in 0..10_000u32 {
        let mut spec = spec("echo", Priority::ALL[n as usize % 5]);
        spec.requirements.required_tags.insert(format!("t{}", n % 1_000));
        queue.put(n, &spec, Mono(u64::from(n * 7 % 10_000)));
    }
    let mut last = None;
    for _ in 0..10_000 {
        let head = queue.next(at(1), &runs).unwrap();
        let (_, since) = queue.class_of[&head.task];
        let key = (core::cmp::Reverse(head.class.priority), since);
        assert!(last.is_none_or(|last| last <= key), "{last:?} before {key:?}");
        last = Some(key);
        queue.serve(head.task, &runs);
    }
    assert_eq!(queue.len(), 0);
    assert!(queue.lines.is_empty() && queue.stuck.values().all(BTreeMap::is_empty));
    assert!(queue.ready.values().all(BTreeMap::is_empty));
}
