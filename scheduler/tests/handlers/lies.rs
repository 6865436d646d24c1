//! What peers may say and must gain nothing by.

use super::*;

#[test]
fn what_the_owner_does_not_grant_is_refused_whoever_leases_it() {
    let one = |word: &str| [word.to_owned()].into();
    let needs = Requirements { enforced: one("cpu"), ..Requirements::default() };
    for (spec, refusal) in [
        (TaskSpec { task_type: "command".to_owned(), ..echo() }, "refused for its type"),
        (TaskSpec { required_permissions: one("read_files"), ..echo() }, "refused for its permissions"),
        (TaskSpec { requirements: needs, ..echo() }, "refused for its sandbox"),
    ] {
        let mut core = Core::with_peer();
        let (_, facts) = lease_of(spec, INC);
        let effects = core.says(Message::Facts(Facts { frame: 1, first: 1, facts }));
        assert_eq!(effects, [format!("persist submitted, leased, {refusal}")]);
    }
}

#[test]
fn an_owner_who_changes_his_mind_is_heard_before_the_start() {
    let mut core = Core::with_peer();
    let (_, first) = lease_to_me(INC);
    core.says(Message::Facts(Facts { frame: 1, first: 1, facts: first }));
    core.now.wall_ms += 1_000;
    let (task, second) = lease_of(TaskSpec { priority: Priority::Low, ..echo() }, INC);
    let waits = core.says(Message::Facts(Facts { frame: 2, first: 2, facts: second }));
    assert_eq!(waits, ["persist submitted, leased"], "its one slot is taken");
    core.persisted();
    core.does(Input::Capacity(Box::new(Capacity { max_concurrent_tasks: 1, ..Capacity::default() })));
    let running: Vec<_> = core.core.view().running().collect();
    let (other, epoch) = running[0];
    assert_ne!(other, task);
    let ended = core.does(Input::Attempt { task: other, epoch, event: AttemptEvent::Ended(outcome(None)) });
    assert!(ended[0].starts_with("persist") && ended[0].contains("refused for its type"), "{ended:?}");
    assert!(!ended.iter().any(|line| line.starts_with("start")), "{ended:?}");
}

#[test]
fn a_specification_that_nobody_may_accept_is_not_taken_from_a_peer() {
    let mut core = Core::with_peer();
    let (task, facts) = lease_to_me(INC);
    let Fact::Submitted(honest) = &facts[0].1 else { panic!("a task begins with it") };
    let long = TaskSpec { extra: vec![b' '; SPEC_BYTES_MAX].into(), ..echo() };
    let spec = wire::encode_spec(&long);
    let oversized = Submitted { spec, ..honest.clone() };
    let mut hasher = blake3::Hasher::new();
    for part in [&b"task"[..], &oversized.spec, &oversized.payload, &oversized.by.0, &oversized.nonce.to_le_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    let id = TaskId::new(task.wall_ms(), hasher.finalize().as_bytes());
    let forged = Submitted { payload: b"[]".as_slice().into(), ..honest.clone() };
    let facts = vec![(id, Fact::Submitted(oversized)), (task, Fact::Submitted(forged))];
    assert_eq!(core.says(Message::Facts(Facts { frame: 1, first: 1, facts })), ["send stored"]);
    assert_eq!((core.core.view().kept_tasks(), core.core.view().counters().refused_facts), (0, 2));
}

#[test]
fn frames_that_nobody_can_have_sent_do_not_count() {
    let mut core = Core::with_peer();
    core.submit(echo());
    core.persisted();
    assert_eq!(core.says(Message::Stored(Stored { upto: u64::MAX })), [""; 0], "one frame was sent");
    let frame = |frame, first| Message::Facts(Facts { frame, first, facts: Vec::new() });
    for absurd in [frame(u64::MAX, u64::MAX), frame(FIRST, FIRST + 1)] {
        assert_eq!(core.says(absurd), [""; 0]);
    }
    assert_eq!(core.core.view().counters().dropped, 3);
    assert_eq!(core.says(frame(FIRST, FIRST)), ["send stored"]);
    assert_eq!(core.says(frame(FIRST + 2, FIRST)), ["send Resend(Resend)"], "one is missing, as ever");
    assert_eq!(core.says(Message::Stored(Stored { upto: FIRST })), ["reply accepted on 2"]);
}

#[test]
fn who_decides_beside_the_guardian_is_sent_all_that_it_says_it_has() {
    let mut core = Core::with_peer();
    core.submit(echo());
    core.persisted();
    core.says(Message::Stored(Stored { upto: FIRST }));
    let verdict = Verdict::Failed { class: ErrorClass::DeviceLost, message: String::new(), epoch: None };
    let settled = Settled { round: 0, term: 5, by: device(PEER), by_inc: INC, verdict };
    let facts = vec![(core.task(), Fact::Settled(settled))];
    let answer = core.says(Message::Facts(Facts { frame: FIRST, first: FIRST, facts }));
    assert_eq!(answer, ["stop Superseded", "persist settled, settled", "send facts submitted, leased"]);
}

#[test]
fn a_life_that_its_own_disk_has_forgotten_is_not_waited_for() {
    let mut core = Core::with_peer();
    core.does(Input::PeerDown(device(PEER)));
    core.does(Input::PeerRefused(device(PEER)));
    core.does(Input::PeerUp(device(PEER)));
    let earlier = Incarnation { boots: 0, wakes: 0 };
    let hello =
        Hello { incarnation: earlier, protocol: 1, members_hash: 0, given_up: None, known: Some(INC), reply: true };
    let Effect::Send { message: Message::Hello(answer), .. } =
        core.effects(Input::Message { from: device(PEER), message: Message::Hello(hello) }).remove(0)
    else {
        panic!("a hello is answered")
    };
    assert_eq!(answer.given_up, Some(INC), "so that it begins a later one");
}

#[test]
fn nobody_speaks_for_a_device_that_speaks_for_itself() {
    let record = |sequence, task_type: &str| {
        let capacity = Capacity { task_types: [task_type.to_owned()].into(), ..Capacity::default() };
        DeviceRecord { device: device(PEER), incarnation: INC, sequence, capacity, ..DeviceRecord::default() }
    };
    let mut core = Core::with_peer();
    let offers = |core: &Core, what: &str| {
        core.core.view().peers().any(|peer| peer.record.is_some_and(|record| record.capacity.task_types.contains(what)))
    };
    core.says(Message::Record(Box::new(record(5, "honest"))));
    let later = Incarnation { boots: 9, wakes: 0 };
    // Numbers that it will never reach, lives that it does not have yet.
    for forged in [record(u64::MAX, "forged"), DeviceRecord { incarnation: later, ..record(6, "forged") }] {
        core.does(Input::Device(Box::new(forged)));
        assert!(offers(&core, "honest") && !offers(&core, "forged"));
    }
    core.does(Input::Device(Box::new(record(7, "forged"))));
    assert!(offers(&core, "forged"), "what goes around cannot be told from its own word");
    core.says(Message::Record(Box::new(record(8, "honest"))));
    assert!(offers(&core, "honest") && !offers(&core, "forged"));
}

#[test]
fn who_is_spoken_for_says_otherwise() {
    let mut core = Core::with_peer();
    let mine = || DeviceRecord { device: device(ME), incarnation: INC, sequence: 500, ..DeviceRecord::default() };
    let gossiped = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Gossip(record) => Some(record.sequence),
            _ => None,
        })
    };
    let mut told = gossiped(core.effects(Input::Device(Box::new(mine()))));
    core.now.mono = core.now.mono + Span::from_secs(1);
    told = told.or(gossiped(core.effects(Input::Tick)));
    assert!(told.is_some_and(|told| told > 500), "{told:?}");
    let absurd = DeviceRecord { sequence: u64::MAX, ..mine() };
    core.now.mono = core.now.mono + Span::from_secs(1);
    assert_eq!(gossiped(core.effects(Input::Device(Box::new(absurd)))), None, "nobody believes that one");
}

/// How often somebody was told that two hosts seem to run with the peer's key.
fn doubts(core: &mut Core, message: Message) -> usize {
    let effects = core.effects(Input::Message { from: device(PEER), message });
    effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Notify(Event::Twins { device: it }) if *it == device(PEER)))
        .count()
}

#[test]
fn who_goes_back_on_its_word_again_and_again_is_two_and_who_restarts_is_not() {
    let record = |boots, sequence| {
        let incarnation = Incarnation { boots, wakes: 0 };
        Message::Record(Box::new(DeviceRecord {
            device: device(PEER),
            incarnation,
            sequence,
            ..DeviceRecord::default()
        }))
    };
    let hello = |boots| {
        let incarnation = Incarnation { boots, wakes: 0 };
        Message::Hello(Hello { incarnation, protocol: 1, members_hash: 0, given_up: None, known: None, reply: true })
    };
    let mut core = Core::with_peer();
    let told: Vec<_> = [5, 4, 6, 4, 4, 7, 3, 8, 2, 9, 1].map(|sequence| doubts(&mut core, record(1, sequence))).into();
    assert_eq!(told, [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], "the third time, and then not at once again");
    assert!(core.core.view().peers().any(|peer| peer.twins));

    let mut core = Core::with_peer();
    for boots in 2..50 {
        let told = [hello(boots), record(boots, 3), record(boots, 4), hello(boots), record(boots, 4)];
        assert_eq!(told.map(|message| doubts(&mut core, message)), [0; 5], "a device that restarts all the time");
    }
    let told: usize =
        [hello(3), hello(3), hello(50), record(50, 1)].map(|message| doubts(&mut core, message)).iter().sum();
    assert_eq!(told, 0, "a disk that was put back, once");
    let told: usize = [hello(49), hello(50), hello(48)].map(|message| doubts(&mut core, message)).iter().sum();
    assert_eq!((told, core.core.view().peers().any(|peer| peer.twins)), (1, true));
}
