//! What is told of a batch: by this device alone, with what another knows, and when another says nothing.

use super::*;

const BATCH: BatchId = BatchId([6; 16]);

fn of_batch(count: u32) -> Vec<NewTask> {
    let task = |index| {
        let spec = TaskSpec { batch: Some(BatchPlace { batch: BATCH, index, of: count }), ..echo() };
        NewTask::new(spec, format!("{{\"n\":{index}}}").into_bytes().into())
    };
    (0..count).map(task).collect()
}

impl Core {
    fn submit_batch(&mut self, count: u32) -> Vec<TaskId> {
        let submit = Command::Submit { tasks: of_batch(count), disks: Some(1) };
        let mut effects = self.effects(Input::Command { id: 1, command: submit });
        effects.extend(self.effects(Input::Persisted { upto: u64::MAX }));
        let accepted = effects.into_iter().find_map(|effect| match effect {
            Effect::Reply { id: 1, reply: Reply::Accepted { tasks, .. } } => Some(tasks),
            _ => None,
        });
        accepted.expect("it is accepted")
    }

    fn ask(&mut self, command: Command) -> Vec<Effect> {
        self.effects(Input::Command { id: 2, command })
    }
}

fn reply(effects: &[Effect]) -> Option<&Reply> {
    effects.iter().find_map(|effect| match effect {
        Effect::Reply { id: 2, reply } => Some(reply),
        _ => None,
    })
}

fn question(effects: &[Effect]) -> &Query {
    let query = effects.iter().find_map(|effect| match effect {
        Effect::Send { message: Message::Query(query), .. } => Some(query),
        _ => None,
    });
    query.expect("the other is asked")
}

#[test]
fn one_device_tells_each_task_and_names_those_asked_for() {
    let mut it = Core::new();
    let tasks = it.submit_batch(3);
    // One of them has the only slot.
    let effects = it.ask(Command::Batch { batch: BATCH, which: vec![Status::Pending] });
    let Some(Reply::Batch { found, silent }) = reply(&effects) else { panic!("{effects:?}") };
    let at = found.statuses.iter().position(|status| *status == Some(Status::Assigned)).expect("one of them");
    assert_eq!(found.statuses.iter().filter(|status| **status == Some(Status::Pending)).count(), 2);
    let waiting = |(index, _): &(usize, TaskId)| *index == 0 || *index != at;
    let named: Vec<_> =
        tasks.iter().copied().enumerate().filter(waiting).map(|(index, task)| (index as u32, task)).collect();
    assert_eq!((&found.tasks, &silent[..]), (&named, &[][..]));
    let effects = it.ask(Command::Batch { batch: BATCH, which: vec![Status::Failed] });
    let Some(Reply::Batch { found, .. }) = reply(&effects) else { panic!("{effects:?}") };
    assert_eq!(found.tasks, [(0, tasks[0])], "the first is always named");
    let effects = it.ask(Command::Batches { limit: 5 });
    assert_eq!(reply(&effects), Some(&Reply::Batches { batches: vec![(BATCH, 3)], silent: vec![], more: false }));
    let effects = it.ask(Command::Batch { batch: BatchId([7; 16]), which: vec![] });
    assert_eq!(reply(&effects), Some(&Reply::NotFound));
}

#[test]
fn a_place_that_no_batch_has_is_refused_and_nothing_is_accepted() {
    let mut it = Core::new();
    let mut tasks = of_batch(2);
    tasks[1].spec.batch = Some(BatchPlace { batch: BATCH, index: 2, of: 2 });
    let effects = it.ask(Command::Submit { tasks, disks: None });
    let Some(Reply::Refused(Refusal::Spec { index: 1, error: SpecError::BatchPlace(_) })) = reply(&effects) else {
        panic!("{effects:?}")
    };
    assert_eq!(it.core.view().kept_tasks(), 0);
}

#[test]
fn what_another_knows_of_a_later_round_or_step_counts() {
    let mut it = Core::with_peer();
    let tasks = it.submit_batch(2);
    let effects = it.ask(Command::Batch { batch: BATCH, which: vec![Status::Completed, Status::Failed] });
    assert_eq!(reply(&effects), None, "the other has not answered");
    let query = question(&effects).clone();
    assert!(matches!(query.about, About::Batch(BATCH, _)));
    let other = TaskId([9; 16]);
    let marks = [u8::from(Status::Completed) + 1, 0, u8::from(Status::Failed) + 1].as_slice().into();
    let told = BatchReply { id: query.id, marks, tasks: vec![(0, tasks[0]), (2, other)], ..BatchReply::default() };
    let effects = it.effects(Input::Message { from: device(PEER), message: Message::BatchReply(told) });
    let Some(Reply::Batch { found, silent }) = reply(&effects) else { panic!("{effects:?}") };
    let [first, Some(second), last] = found.statuses[..] else { panic!("{found:?}") };
    assert_eq!((first, last), (Some(Status::Completed), Some(Status::Failed)));
    assert!(!second.is_terminal(), "of this one the other knows nothing");
    assert_eq!((&found.tasks[..], &silent[..]), (&[(0, tasks[0]), (2, other)][..], &[][..]));
}

#[test]
fn who_does_not_answer_is_named_and_the_rest_is_told() {
    let mut it = Core::with_peer();
    it.submit_batch(2);
    it.ask(Command::Batch { batch: BATCH, which: vec![] });
    let unknown = it.ask(Command::Batch { batch: BatchId([7; 16]), which: vec![] });
    assert_eq!(reply(&unknown), None);
    it.now.mono = it.now.mono + Config::default().ack_timeout;
    let effects = it.effects(Input::Tick);
    let replies: Vec<_> = effects.iter().filter(|effect| matches!(effect, Effect::Reply { id: 2, .. })).collect();
    assert_eq!(replies.len(), 2, "{effects:?}");
    let Effect::Reply { reply: Reply::Batch { silent, .. }, .. } = replies[0] else { panic!("{effects:?}") };
    assert_eq!(silent, &[device(PEER)]);
    let Effect::Reply { reply: Reply::Unknown(silent), .. } = replies[1] else { panic!("{effects:?}") };
    assert_eq!(silent, &[device(PEER)]);
}

#[test]
fn another_is_told_what_this_device_knows() {
    let mut it = Core::with_peer();
    let tasks = it.submit_batch(2);
    let query = Message::Query(Query { id: 9, about: About::Batch(BATCH, 0) });
    let effects = it.effects(Input::Message { from: device(PEER), message: query });
    let told = effects.iter().find_map(|effect| match effect {
        Effect::Send { message: Message::BatchReply(reply), .. } => Some(reply),
        _ => None,
    });
    let told = told.expect("an answer");
    assert_eq!((told.id, told.marks.len(), &told.tasks[..]), (9, 2, &[(0, tasks[0])][..]));
}

#[test]
fn what_rests_is_told_with_its_round() {
    let mut it = Core::new();
    let task = it.submit_batch(1)[0];
    let fails = |it: &mut Core| {
        let (running, epoch) = it.core.view().running().next().expect("it runs");
        it.does(Input::Attempt { task: running, epoch, event: AttemptEvent::Ended(outcome(Some(ErrorClass::Task))) });
        it.starts_within(1)
    };
    assert_eq!(fails(&mut it), 0);
    assert_eq!(it.status(), Status::Failed);
    it.ask(Command::Reopen(task));
    it.persisted();
    assert_eq!(fails(&mut it), 0);
    it.starts_within(60);
    assert_eq!((it.core.view().resting_tasks(), it.core.view().tasks().count()), (1, 0), "it rests");
    it.meets_peer();
    let query = Message::Query(Query { id: 9, about: About::Batch(BATCH, 0) });
    let effects = it.effects(Input::Message { from: device(PEER), message: query });
    let told = effects.iter().find_map(|effect| match effect {
        Effect::Send { message: Message::BatchReply(reply), .. } => Some(reply.marks.to_vec()),
        _ => None,
    });
    assert_eq!(told, Some(vec![1 << 4 | (u8::from(Status::Failed) + 1)]), "the second time, as others have it");
}
