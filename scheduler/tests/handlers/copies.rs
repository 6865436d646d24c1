//! A copy that its device hands back before it has begun gets a successor, where and when one fits, and not for ever.

use super::*;

fn says_of_itself(core: &mut Core, sequence: u64) {
    let capacity = Capacity {
        max_concurrent_tasks: 4,
        task_types: ["echo".to_owned()].into(),
        mains: true,
        ..Capacity::default()
    };
    let record = DeviceRecord { device: device(PEER), incarnation: INC, sequence, capacity, ..DeviceRecord::default() };
    core.says(Message::Record(Box::new(record)));
}

fn copies(core: &Core, task: TaskId) -> Vec<Leased> {
    let record = core.core.view().record(task).expect("it is kept");
    let leases = record.facts().filter_map(|fact| if let Fact::Leased(lease) = fact { Some(*lease) } else { None });
    leases.filter(|lease| lease.beside.is_some()).collect()
}

/// Goes on for a while; whoever is asked for room has some.
fn goes_on(core: &mut Core) {
    for _ in 0..8 {
        core.now.mono = core.now.mono + Span::from_ms(100);
        let lines = [core.does(Input::Tick), core.persisted()].concat();
        if lines.iter().any(|line| line.starts_with("send Want")) {
            core.says(Message::Grant(Grant { limit: 4 }));
        }
    }
}

/// A device whose one slot an attempt has that takes too long, and that attempt.
fn straggling() -> (Core, TaskId) {
    let (straggler_floor, isolated) = (Span::from_ms(50), Span::from_secs(60));
    let mut core = Core::with(ME, Config { straggler_samples: 1, straggler_floor, isolated, ..Config::default() });
    core.meets_peer();
    let quick = TaskSpec { task_type: "echo".to_owned(), ..TaskSpec::default() };
    core.submit(quick.clone());
    let (task, epoch) = core.core.view().running().next().expect("it runs here");
    core.does(Input::Attempt { task, epoch, event: AttemptEvent::Ended(outcome(None)) });
    core.submit(TaskSpec { speculative: true, ..quick });
    core.persisted();
    let (task, epoch) = core.core.view().running().next().expect("it runs here");
    core.does(Input::Attempt { task, epoch, event: AttemptEvent::Started });
    goes_on(&mut core);
    assert_eq!(copies(&core, task), [], "nobody else is known to run it");
    (core, task)
}

/// The peer lets go of a lease.
fn hands_back(core: &mut Core, frame: u64, task: TaskId, lease: &Leased, why: Released) {
    let back = Closed { epoch: lease.epoch, by: device(PEER), by_inc: INC, close: Close::Released(why) };
    core.says(Message::Facts(Facts { frame, first: frame, facts: vec![(task, Fact::Closed(back))] }));
    goes_on(core);
}

#[test]
fn a_copy_that_is_handed_back_unrun_gets_a_successor() {
    let (mut core, task) = straggling();
    for sequence in 1..=5 {
        says_of_itself(&mut core, sequence);
        goes_on(&mut core);
        let made = copies(&core, task);
        assert_eq!(made.len() as u64, sequence.min(3), "one at a time, and three in all");
        let last = made.iter().max_by_key(|lease| lease.epoch).expect("one");
        assert_eq!((last.to, last.attempt, last.losses), (device(PEER), 1, 0));
        let why = Released::Refused { record_sequence: sequence, grounds: Grounds::TaskType };
        hands_back(&mut core, sequence, task, last, why);
        assert_eq!(copies(&core, task).len(), made.len(), "not again before it says something new of itself");
    }
    assert!(core.core.view().running().any(|(running, _)| running == task), "the attempt itself goes on");
}

#[test]
fn a_copy_that_may_have_begun_is_the_only_one() {
    let (mut core, task) = straggling();
    says_of_itself(&mut core, 1);
    goes_on(&mut core);
    let [copy] = copies(&core, task)[..] else { panic!("one copy") };
    hands_back(&mut core, 1, task, &copy, Released::Drained);
    says_of_itself(&mut core, 2);
    goes_on(&mut core);
    assert_eq!(copies(&core, task).len(), 1);
}
