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

    fn head(&self, now: Mono, runs: &RunTimes) -> Option<Head> {
        self.next(&Scale { now, runs, supply: Supply::default() })
    }

    fn first(&self, now: Mono) -> Option<TaskId> {
        self.head(now, &RunTimes::default()).map(|head| head.task)
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
    assert_eq!(queue.head(at(99), &runs).map(|head| head.task), Some(task(1)));
    assert_eq!(queue.head(at(101), &runs).map(|head| head.task), Some(task(2)));
}

#[test]
fn a_run_that_is_said_to_have_taken_for_ever_breaks_nothing_and_is_soon_forgotten() {
    let (mut queue, mut runs) = (Queue::default(), RunTimes::default());
    runs.sample("echo", Span(u64::MAX), true);
    queue.put(1, &spec("echo", Priority::Low), Mono(0));
    queue.put(2, &spec("other", Priority::Low), at(1));
    assert_eq!(queue.head(at(2), &runs).map(|head| head.task), Some(task(2)));
    (0..100).for_each(|_| runs.sample("echo", Span::from_ms(10), true));
    assert!(runs.mean("echo") < Span::from_secs(1), "{:?}", runs.mean("echo"));
}

#[test]
fn a_stuck_head_holds_up_only_its_own_line() {
    let mut queue = Queue::default();
    queue.put(1, &spec("rare", Priority::Urgent), Mono(0));
    queue.put(2, &spec("echo", Priority::Low), Mono(0));
    let head = queue.head(Mono(1), &RunTimes::default()).unwrap();
    assert_eq!((head.task, head.priority), (task(1), Priority::Urgent));
    queue.stick(head.class, None);
    assert_eq!(queue.first(Mono(1)), Some(task(2)));
    assert_eq!(queue.top(Mono(1), &RunTimes::default()), Some(Priority::Urgent));
    queue.unstick(|_| false, |head| head != task(1));
    assert_eq!(queue.first(Mono(1)), Some(task(2)));
    queue.unstick(|_| false, |head| head == task(1));
    assert_eq!(queue.first(Mono(1)), Some(task(1)));
    // One that waits for an answer is not concerned by anything else.
    let asked = DeviceId([9; 16]);
    queue.stick(head.class, Some(asked));
    queue.unstick(|device| device != asked, |_| true);
    assert_eq!(queue.first(Mono(1)), Some(task(2)));
    let runs = RunTimes::default();
    let scale = Scale { now: Mono(1), runs: &runs, supply: Supply::default() };
    assert_eq!(queue.asking_above(Priority::Low, &scale), [Asking { task: task(1), of: asked, len: 1 }]);
    assert_eq!(queue.asking_above(Priority::Urgent, &scale), []);
    queue.unstick(|device| device == asked, |_| false);
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
    queue.stick(failed, None);
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
        let first = queue.head(at(1), &runs).unwrap().task;
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
        let head = queue.head(at(1), &runs).unwrap();
        let (_, since) = queue.class_of[&head.task];
        let key = (core::cmp::Reverse(head.class.priority), since);
        assert!(last.is_none_or(|last| last <= key), "{last:?} before {key:?}");
        last = Some(key);
        queue.serve(head.task, &runs);
    }
    assert_eq!(queue.len(), 0);
    assert!(queue.lines.is_empty() && queue.stuck.is_empty());
    assert!(queue.ready.values().all(BTreeMap::is_empty));
}

/// Of tasks that came together, what asks for most of what there is goes first: SPEC's tie-breaker, by a table.
#[test]
fn under_contention_what_asks_for_most_goes_first() {
    type Asks = (u32, u64);
    // What there is (cores in thousandths, kbit/s), what one task and another one ask for, and which of the two goes first.
    let table: [(Asks, Asks, Asks, u32); 9] = [
        ((4_000, 100_000), (1_000, 0), (2_000, 0), 2),
        ((4_000, 100_000), (3_000, 0), (2_000, 0), 1),
        ((4_000, 100_000), (0, 10_000), (0, 20_000), 2),
        // All of the processor is less than all of the bandwidth.
        ((4_000, 100_000), (4_000, 0), (0, 100_000), 2),
        // 0.4 of a whole against 0.5 of four fifths: equal, so that the smaller id goes first.
        ((4_000, 100_000), (4_000, 0), (0, 80_000), 1),
        ((4_000, 100_000), (4_000, 0), (0, 79_000), 1),
        // More than there is counts as all there is.
        ((1_000, 100_000), (8_000, 0), (2_000, 1), 2),
        ((1_000, 100_000), (8_000, 0), (2_000, 0), 1),
        // Of what nobody has, anything is all.
        ((0, 0), (1, 0), (0, 1), 2),
    ];
    let spec = |(cpu, io): Asks| {
        let mut spec = spec("echo", Priority::Normal);
        spec.requirements.min_cpu_cores_milli = Some(cpu).filter(|cpu| *cpu > 0);
        spec.requirements.bandwidth_kbps = Some(io).filter(|io| *io > 0);
        spec
    };
    let runs = RunTimes::default();
    for (there_is, one, other, first) in table {
        let mut queue = Queue::default();
        queue.put(1, &spec(one), at(1));
        queue.put(2, &spec(other), at(1));
        let supply = Supply { cpu_milli: there_is.0.into(), io_kbps: there_is.1 };
        let scale = Scale { now: at(2), runs: &runs, supply };
        assert_eq!(queue.next(&scale).map(|head| head.task), Some(task(first)), "{one:?}, {other:?} of {there_is:?}");
        assert_eq!(queue.in_order(&scale).first().map(|(task, _)| *task), Some(task(first)));
        assert!(queue.is_demanding());
        // It breaks ties and nothing else: whoever came a millisecond earlier goes first whatever he asks for.
        queue.put(3, &spec((0, 0)), Mono(at(1).0 - 1_000));
        assert_eq!(queue.next(&scale).map(|head| head.task), Some(task(3)));
        (1..=3).for_each(|n| queue.remove(task(n)));
        assert!(!queue.is_demanding() && queue.lines.is_empty());
    }
}

fn of_batch(batch: u8, spec: TaskSpec) -> TaskSpec {
    let place = crate::task::BatchPlace { batch: crate::id::BatchId([batch; 16]), index: 0, of: 1 };
    TaskSpec { batch: Some(place), ..spec }
}

/// Takes all, one after the other, each when its turn comes.
fn all_in_turn(queue: &mut Queue, now: Mono, runs: &RunTimes) -> alloc::vec::Vec<TaskId> {
    let mut all = alloc::vec::Vec::new();
    while let Some(head) = queue.head(now, runs) {
        queue.serve(head.task, runs);
        all.push(head.task);
    }
    all
}

/// What runs longest of a batch goes first, what nobody knows before that; the order is the same for who looks ahead, and whoever is
/// alone in line comes before the long ones when he has waited long enough for that, as if the short ones were not there.
#[test]
fn of_a_batch_what_runs_longest_goes_first() {
    let (mut queue, mut runs) = (Queue::default(), RunTimes::default());
    for (name, ms) in [("short", 10), ("long", 9_000), ("middle", 500), ("other", 10)] {
        runs.sample(name, Span::from_ms(ms), true);
    }
    for (n, name) in ["short", "long", "new", "middle", "short", "long"].into_iter().enumerate() {
        queue.put(n as u32, &of_batch(1, spec(name, Priority::Normal)), Mono(n as u64));
    }
    let order = [2, 1, 5, 3, 0, 4].map(task);
    let scale = Scale { now: at(20), runs: &runs, supply: Supply::default() };
    assert_eq!(queue.in_order(&scale).into_iter().map(|(task, _)| task).collect::<alloc::vec::Vec<_>>(), order);
    assert_eq!(all_in_turn(&mut queue.clone(), at(20), &runs), order);
    queue.remove(task(2));
    // 20 s / 10 against what has waited for 1.9 s, and 2.1 s; of the same type as some of the batch, or not.
    for name in ["short", "other"] {
        for (since, overtakes) in [(18_100, false), (17_900, true)] {
            let mut queue = queue.clone();
            queue.put(9, &spec(name, Priority::Normal), Mono(since * 1_000));
            assert_eq!(queue.head(at(20), &runs).unwrap().task, task(if overtakes { 9 } else { 1 }), "{name} {since}");
            let ahead = queue.in_order(&scale)[0].0;
            assert_eq!(ahead, queue.head(at(20), &runs).unwrap().task);
        }
    }
    // Who is more urgent goes first, in whatever batch.
    queue.put(9, &of_batch(2, spec("short", Priority::High)), at(19));
    assert_eq!(queue.head(at(20), &runs).unwrap().task, task(9));
    assert_eq!(all_in_turn(&mut queue, at(20), &runs).len(), 6);
    assert!(queue.lots.is_empty() && queue.lines.is_empty());
}

/// A head of a batch that cannot be placed holds up no other one.
#[test]
fn a_stuck_head_of_a_batch_leaves_its_turn_to_the_next() {
    let (mut queue, mut runs) = (Queue::default(), RunTimes::default());
    runs.sample("long", Span::from_secs(9), true);
    runs.sample("short", Span::from_ms(9), true);
    queue.put(1, &of_batch(1, spec("long", Priority::Normal)), Mono(0));
    queue.put(2, &of_batch(1, spec("short", Priority::Normal)), Mono(0));
    let head = queue.head(at(1), &runs).unwrap();
    assert_eq!(head.task, task(1));
    queue.stick(head.class, None);
    assert_eq!(queue.head(at(1), &runs).unwrap().task, task(2));
    queue.unstick_all();
    assert_eq!(queue.head(at(1), &runs).unwrap().task, task(1));
}

/// Whoever hands in one batch after the other makes nobody look at more than a few of them; and all have their turn.
#[test]
fn of_many_batches_few_stand_in_lines_of_their_own() {
    let (mut queue, runs) = (Queue::default(), RunTimes::default());
    let id = |n: u32| {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        crate::id::BatchId(id)
    };
    for n in 0..10_000u32 {
        let place = crate::task::BatchPlace { batch: id(n / 2), index: n % 2, of: 2 };
        let one = TaskSpec { batch: Some(place), ..spec("echo", Priority::ALL[n as usize % 5]) };
        queue.put(n, &one, Mono(u64::from(n)));
    }
    assert_eq!(queue.lines.len(), 5 * (LOTS_MAX + 1));
    let all = all_in_turn(&mut queue, at(1), &runs);
    assert_eq!(all.len(), 10_000);
    assert!(queue.lots.is_empty() && queue.lines.is_empty() && queue.class_of.is_empty());
}
