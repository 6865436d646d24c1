//! A device that holds as many open tasks as it may, or whose disk takes no more.

use super::*;

fn full(limit: usize) -> Core {
    let mut core = Core::with(ME, Config { queue_max: limit, ..Config::default() });
    (0..limit).for_each(|_| drop(core.submit(echo())));
    core.persisted();
    core
}

fn batch(of: usize) -> Input {
    let tasks = vec![NewTask::new(echo(), b"{}".as_slice().into()); of];
    Input::Command { id: 1, command: Command::Submit { tasks, disks: None } }
}

#[test]
fn a_full_queue_refuses_keeps_what_it_has_and_takes_again_when_there_is_room() {
    const LIMIT: usize = 100;
    let mut core = full(LIMIT);
    assert_eq!(core.core.view().tasks().count(), LIMIT);
    for _ in 0..3 {
        assert_eq!(core.submit(echo()), [format!("reply Refused(QueueFull {{ limit: {LIMIT} }})")]);
    }
    assert_eq!(core.core.view().tasks().count(), LIMIT, "nothing of what is refused is kept");
    let (task, epoch) = core.core.view().running().next().expect("one runs");
    core.does(Input::Attempt { task, epoch, event: AttemptEvent::Ended(outcome(None)) });
    core.persisted();
    assert_eq!(core.does(batch(2)), [format!("reply Refused(QueueFull {{ limit: {LIMIT} }})")], "all or nothing");
    assert_eq!(core.submit(echo()), ["persist submitted"], "there is room for one");
    assert!(core.submit(echo())[0].contains("QueueFull"));
    core.persisted();
    // All that was accepted comes to its end, in turn.
    for _ in 0..LIMIT {
        let (task, epoch) = core.core.view().running().next().expect("the next one runs");
        core.does(Input::Attempt { task, epoch, event: AttemptEvent::Ended(outcome(None)) });
        core.persisted();
    }
    assert_eq!(core.core.view().running().count(), 0);
    let ended = |task| core.core.view().record(task).is_some_and(|r| r.resolve().status() == Status::Completed);
    assert_eq!(core.core.view().tasks().filter(|task| ended(*task)).count(), LIMIT + 1);
    core.does(batch(LIMIT));
    assert_eq!(core.core.view().tasks().count(), 2 * LIMIT + 1, "what has ended takes no room");
}

#[test]
fn a_disk_that_refuses_refuses_submits() {
    let mut core = Core::new();
    core.does(Input::Storage { healthy: false });
    assert_eq!(core.submit(echo()), ["reply Refused(Storage)"]);
}
