//! One call: what is to be done after it, exactly. Effects are written as one line each; beats, gossip and notices are left out.

mod alerts;
mod batch;
mod copies;
mod full;
mod lies;
mod requirements;

use rc_scheduler::*;

const ME: u8 = 1;
const PEER: u8 = 2;

fn device(n: u8) -> DeviceId {
    DeviceId([n; 16])
}

const INC: Incarnation = Incarnation { boots: 1, wakes: 0 };
/// The number of the first frame of that life.
const FIRST: u64 = 1 << 32 | 1;

struct Core {
    core: Scheduler,
    now: Now,
}

impl Core {
    fn new() -> Self {
        Self::of(ME)
    }

    fn of(me: u8) -> Self {
        Self::with(me, Config::default())
    }

    fn with(me: u8, config: Config) -> Self {
        let now = Now { mono: Mono(1_000_000), wall_ms: 1_700_000_000_000 };
        let durable = Durable { incarnation: INC, ..Durable::default() };
        let core = Scheduler::restore(device(me), config, [7; 32], durable, now).expect("counted up");
        let mut it = Self { core, now };
        it.drain();
        let capacity =
            Capacity { max_concurrent_tasks: 1, task_types: ["echo".to_owned()].into(), ..Capacity::default() };
        it.does(Input::Capacity(Box::new(capacity)));
        it.persisted();
        it
    }

    /// In session with one peer that is synced, says what it has, and has answered the questions of the beginning.
    fn with_peer() -> Self {
        let mut it = Self::new();
        it.meets_peer();
        assert!(it.core.view().is_synced());
        it
    }

    /// A peer comes that is synced, says what it has, and answers the questions of the beginning.
    fn meets_peer(&mut self) -> Vec<String> {
        let mut lines = self.does(Input::PeerUp(device(PEER)));
        let hello =
            |known| Hello { incarnation: INC, protocol: 1, members_hash: 0, given_up: None, known, reply: false };
        lines.extend(self.says(Message::Hello(hello(Some(INC)))));
        lines.extend(self.persisted());
        let beat = Beat {
            incarnation: INC,
            number: 1,
            echo: 1,
            reply: true,
            guard: true,
            take: true,
            synced: true,
            held: 0,
            held_hash: 0,
        };
        lines.extend(self.says(Message::Beat(beat)));
        lines
    }

    fn drain(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Output::Effect(effect) = self.core.poll() {
            effects.push(effect);
        }
        self.core.check_invariants().expect("after every input");
        effects
    }

    fn effects(&mut self, input: Input) -> Vec<Effect> {
        self.now.mono = self.now.mono + Span::from_ms(1);
        self.core.handle(self.now, input);
        self.drain()
    }

    fn does(&mut self, input: Input) -> Vec<String> {
        self.effects(input).iter().filter_map(line).collect()
    }

    fn says(&mut self, message: Message) -> Vec<String> {
        self.does(Input::Message { from: device(PEER), message })
    }

    /// Everything handed to the disk is safe.
    fn persisted(&mut self) -> Vec<String> {
        self.does(Input::Persisted { upto: u64::MAX })
    }

    fn submit(&mut self, spec: TaskSpec) -> Vec<String> {
        let tasks = vec![NewTask::new(spec, b"{}".as_slice().into())];
        self.does(Input::Command { id: 1, command: Command::Submit { tasks, disks: None } })
    }

    fn task(&self) -> TaskId {
        self.core.view().tasks().next().expect("one task")
    }

    fn status(&self) -> Status {
        self.core.view().record(self.task()).expect("it is kept").resolve().status()
    }
}

fn echo() -> TaskSpec {
    TaskSpec { task_type: "echo".to_owned(), side_effects: true, ..TaskSpec::default() }
}

fn fact(fact: &Fact) -> &'static str {
    match fact {
        Fact::Submitted(_) => "submitted",
        Fact::Leased(_) => "leased",
        Fact::Closed(Closed { close: Close::Finished(_), .. }) => "finished",
        Fact::Closed(Closed { close: Close::Released(why), .. }) => match why {
            Released::Superseded => "released superseded",
            Released::Stale => "released stale",
            Released::Refused { grounds: Grounds::Busy, .. } => "refused",
            Released::Refused { grounds: Grounds::TaskType, .. } => "refused for its type",
            Released::Refused { grounds: Grounds::Permissions, .. } => "refused for its permissions",
            Released::Refused { grounds: Grounds::Sandbox, .. } => "refused for its sandbox",
            Released::Isolated => "released isolated",
            Released::Drained => "released drained",
            Released::Died => "released died",
        },
        Fact::CancelAsked(_) => "cancel",
        Fact::Settled(_) => "settled",
        Fact::Stable(_) => "stable",
        _ => "other",
    }
}

fn line(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Persist { entries, .. } => {
            let names: Vec<_> = entries
                .iter()
                .map(|entry| match entry {
                    Entry::Fact(_, it) | Entry::Ended(_, it, _) => fact(it),
                    Entry::Member(_) => "member",
                    Entry::Forget(..) => "forget",
                    Entry::Drop(_) => "drop",
                    Entry::Bury(..) => "bury",
                    Entry::Graves(..) => "graves",
                    Entry::Clock { .. } => "clock",
                })
                .collect();
            format!("persist {}", names.join(", "))
        }
        Effect::Send { message, .. } => match message {
            Message::Beat(_) | Message::Record(_) => return None,
            Message::Facts(frame) => {
                let names: Vec<_> = frame.facts.iter().map(|(_, it)| fact(it)).collect();
                format!("send facts {}", names.join(", "))
            }
            Message::Stored(_) => "send stored".to_owned(),
            Message::Hello(hello) => format!("send hello {}", hello.incarnation),
            Message::Ask(_) => "send ask".to_owned(),
            Message::Members(_) => "send members".to_owned(),
            other => format!("send {other:?}"),
        },
        Effect::Load { .. } => "load".to_owned(),
        Effect::Start(start) => format!("start attempt {}", start.attempt),
        Effect::Stop { why, .. } => format!("stop {why:?}"),
        Effect::Reply { reply, .. } => match reply {
            Reply::Accepted { disks, .. } => format!("reply accepted on {}", disks.len()),
            Reply::Status(_, status) => format!("reply {status}"),
            other => format!("reply {other:?}"),
        },
        Effect::Gossip(_) | Effect::Notify(_) => return None,
    })
}

fn outcome(error: Option<ErrorClass>) -> Outcome {
    let error = error.map(|class| (class, "why".to_owned()));
    Outcome { error, body: b"{}".as_slice().into(), started_wall_ms: 0, finished_wall_ms: 0, run: Span::from_ms(5) }
}

#[test]
fn alone_a_submit_is_written_before_anything_else_happens() {
    let mut core = Core::new();
    assert_eq!(core.submit(echo()), ["persist submitted, leased"]);
    assert_eq!(core.persisted(), ["start attempt 1", "reply accepted on 1"]);
    assert_eq!(core.status(), Status::Assigned);
}

#[test]
fn alone_an_end_is_told_when_it_is_on_disk() {
    let mut core = Core::new();
    core.submit(echo());
    core.persisted();
    let (task, epoch) = core.core.view().running().next().expect("it runs");
    let ended = |error| Input::Attempt { task, epoch, event: AttemptEvent::Ended(outcome(error)) };
    assert_eq!(core.does(ended(None)), ["persist finished, settled"]);
    assert_eq!(core.status(), Status::Running);
    assert_eq!(core.persisted(), ["persist stable"]);
    assert_eq!(core.status(), Status::Completed);
    assert_eq!(core.does(ended(None)), [""; 0], "an attempt ends once");
    assert_eq!(core.core.view().counters().dropped, 1);
}

#[test]
fn a_cancel_is_a_request_until_the_holder_has_let_go() {
    let mut core = Core::new();
    core.submit(echo());
    core.persisted();
    let (task, epoch) = core.core.view().running().next().expect("it runs");
    let cancel = core.does(Input::Command { id: 2, command: Command::Cancel(task) });
    assert_eq!(cancel, ["stop Cancelled", "reply cancelling", "persist cancel"]);
    let stopped = AttemptEvent::Ended(outcome(Some(ErrorClass::Preempted)));
    assert_eq!(core.does(Input::Attempt { task, epoch, event: stopped }), ["persist released superseded, settled"]);
    core.persisted();
    assert_eq!(core.status(), Status::Cancelled);
}

#[test]
fn a_bad_submit_changes_nothing() {
    let mut core = Core::new();
    let refused = core.submit(TaskSpec::default());
    assert_eq!(refused.len(), 1);
    assert!(refused[0].contains("NoTaskType"), "{refused:?}");
    assert_eq!(core.core.view().kept_tasks(), 0);
}

#[test]
fn with_a_peer_a_submit_waits_for_its_disk() {
    let mut core = Core::with_peer();
    assert_eq!(core.submit(echo()), ["persist submitted, leased"]);
    assert_eq!(core.persisted(), ["start attempt 1", "send facts submitted, leased"]);
    assert_eq!(core.says(Message::Stored(Stored { upto: FIRST })), ["reply accepted on 2"]);
}

#[test]
fn a_link_is_greeted_and_a_hello_is_answered_with_questions() {
    let mut core = Core::new();
    assert_eq!(core.does(Input::PeerUp(device(PEER))), ["send hello 1.0"]);
    let hello = Hello { incarnation: INC, protocol: 1, members_hash: 0, given_up: None, known: None, reply: true };
    assert_eq!(core.says(Message::Hello(hello)), ["send hello 1.0", "send members", "persist member"]);
}

#[test]
fn whoever_was_given_up_begins_a_new_life_and_asks() {
    let mut core = Core::with_peer();
    let hello =
        Hello { incarnation: INC, protocol: 1, members_hash: 0, given_up: Some(INC), known: Some(INC), reply: true };
    let effects = core.says(Message::Hello(hello));
    assert!(effects.contains(&"send hello 1.1".to_owned()), "{effects:?}");
    assert!(effects.contains(&"send ask".to_owned()), "{effects:?}");
    assert!(!core.core.view().is_synced());
}

/// What another device would send of a task that it leased to this one.
fn lease_to_me(to_inc: Incarnation) -> (TaskId, Vec<(TaskId, Fact)>) {
    lease_of(echo(), to_inc)
}

fn lease_of(spec: TaskSpec, to_inc: Incarnation) -> (TaskId, Vec<(TaskId, Fact)>) {
    let mut other = Core::of(PEER);
    other.submit(spec);
    let task = other.task();
    let mut facts: Vec<Fact> = other.core.view().record(task).expect("it is kept").facts().cloned().collect();
    let epoch = Epoch::new(9, 0, 1);
    let (to, by) = (device(ME), device(PEER));
    facts.retain(|fact| matches!(fact, Fact::Submitted(_)));
    let (attempt, losses, score_ppm, beside) = (1, 0, 0, None);
    facts.push(Fact::Leased(Leased { epoch, to, to_inc, by, by_inc: INC, attempt, losses, score_ppm, beside }));
    (task, facts.into_iter().map(|fact| (task, fact)).collect())
}

#[test]
fn a_lease_to_this_life_is_started_and_acknowledged_when_it_is_on_disk() {
    let mut core = Core::with_peer();
    let (_, facts) = lease_to_me(INC);
    let effects = core.says(Message::Facts(Facts { frame: 1, first: 1, facts }));
    assert_eq!(effects, ["start attempt 1", "persist submitted, leased"]);
    assert_eq!(core.persisted(), ["send stored"]);
}

#[test]
fn a_lease_to_an_earlier_life_is_given_back() {
    let mut core = Core::with_peer();
    let (_, facts) = lease_to_me(Incarnation { boots: 0, wakes: 9 });
    let effects = core.says(Message::Facts(Facts { frame: 1, first: 1, facts }));
    assert_eq!(effects, ["persist submitted, leased, released died"]);
}

#[test]
fn nothing_is_acknowledged_past_a_missing_frame() {
    let mut core = Core::with_peer();
    let (_, facts) = lease_to_me(INC);
    let submitted = facts[..1].to_vec();
    assert_eq!(
        core.says(Message::Facts(Facts { frame: 1, first: 1, facts: submitted.clone() })),
        ["persist submitted"]
    );
    assert_eq!(core.persisted(), ["send stored"]);
    let frame = Message::Facts(Facts { frame: 3, first: 2, facts: submitted });
    assert_eq!(core.says(frame), ["send Resend(Resend)"]);
    assert_eq!(core.persisted(), [""; 0]);
}

/// A task that has ended and left memory, with its facts as they are on disk.
fn rested(core: &mut Core) -> (TaskId, Vec<Fact>) {
    core.submit(echo());
    core.persisted();
    let (task, epoch) = core.core.view().running().next().expect("it runs");
    core.does(Input::Attempt { task, epoch, event: AttemptEvent::Ended(outcome(None)) });
    core.persisted();
    core.persisted();
    let facts = core.core.view().record(task).expect("it is kept").facts().cloned().collect();
    for _ in 0..2 {
        core.now.mono = core.now.mono + Span::from_ms(2_900);
        core.does(Input::Tick);
    }
    assert!(core.core.view().record(task).is_none(), "it has left memory");
    assert!(core.core.view().keeps(task));
    assert_eq!(core.core.view().status(task), Some(Status::Completed));
    (task, facts)
}

#[test]
fn what_has_ended_leaves_memory_and_is_read_for_whoever_asks() {
    let mut core = Core::new();
    let (task, facts) = rested(&mut core);
    assert_eq!(core.does(Input::Command { id: 2, command: Command::Read(task) }), ["load"]);
    let found = core.does(Input::Loaded { task, facts: facts.clone() });
    assert!(found.len() == 1 && found[0].starts_with("reply Found"), "{found:?}");
    assert!(core.core.view().record(task).is_none(), "a look does not bring it back");
    assert_eq!(core.does(Input::Command { id: 3, command: Command::List { limit: 10 } }), ["load"]);
    let listed = core.does(Input::Loaded { task, facts });
    assert!(listed.len() == 1 && listed[0].starts_with("reply Tasks"), "{listed:?}");
}

#[test]
fn a_disk_that_does_not_answer_makes_nothing_unknown_look_absent() {
    let mut core = Core::new();
    let (task, _) = rested(&mut core);
    core.does(Input::Command { id: 2, command: Command::Read(task) });
    core.now.mono = core.now.mono + Span::from_secs(2);
    let late = core.does(Input::Tick);
    assert!(late.len() == 1 && late[0].starts_with("reply Unknown"), "{late:?}");
}

#[test]
fn a_late_fact_is_acknowledged_when_it_is_in_its_record_and_on_disk() {
    let mut core = Core::new();
    let (task, facts) = rested(&mut core);
    core.does(Input::PeerUp(device(PEER)));
    let hello =
        Hello { incarnation: INC, protocol: 1, members_hash: 0, given_up: None, known: Some(INC), reply: false };
    core.says(Message::Hello(hello));
    core.persisted();
    let late = vec![(task, Fact::CancelAsked(CancelAsked { by: device(PEER), round: 0 }))];
    let effects = core.says(Message::Facts(Facts { frame: 1, first: 1, facts: late }));
    assert_eq!(effects, ["load"]);
    assert_eq!(core.persisted(), [""; 0], "it is not in its record yet");
    let effects = core.does(Input::Loaded { task, facts });
    assert_eq!(effects[0], "persist cancel");
    assert!(!effects.contains(&"send stored".to_owned()), "{effects:?}");
    assert!(core.persisted().contains(&"send stored".to_owned()));
    assert_eq!(core.status(), Status::Completed);
}

#[test]
fn a_record_that_the_disk_has_lost_is_not_pretended_to_be_here() {
    let mut core = Core::new();
    let (task, facts) = rested(&mut core);
    core.does(Input::Command { id: 2, command: Command::Read(task) });
    let reply = core.does(Input::Loaded { task, facts: facts[..2].to_vec() });
    assert_eq!(reply, ["reply NotFound"]);
    assert_eq!(core.core.view().kept_tasks(), 0);
    assert_eq!(core.core.view().counters().lost_records, 1);
}

/// Its owner wants it back, or gives it again.
fn blocked(blocked: &[Blocked]) -> Input {
    let capacity = Capacity {
        max_concurrent_tasks: 1,
        task_types: ["echo".to_owned()].into(),
        blocked: blocked.iter().copied().collect(),
        ..Capacity::default()
    };
    Input::Capacity(Box::new(capacity))
}

#[test]
fn who_is_wanted_back_hands_back_what_waits_and_then_what_runs() {
    let mut core = Core::with_peer();
    core.submit(echo());
    core.persisted();
    let mine = core.task();
    let (task, epoch) = core.core.view().running().next().expect("it runs");
    let (_, facts) = lease_to_me(INC);
    assert_eq!(core.says(Message::Facts(Facts { frame: 1, first: 1, facts })), ["persist submitted, leased"]);

    let effects = core.effects(blocked(&[Blocked::Policy]));
    let takes = effects.iter().find_map(|effect| match effect {
        Effect::Send { message: Message::Beat(beat), .. } => Some(beat.take),
        _ => None,
    });
    assert_eq!(takes, Some(false), "everybody hears it at once");
    let lines: Vec<_> = effects.iter().filter_map(line).collect();
    assert_eq!(lines, ["persist released drained"], "what runs may finish");

    assert_eq!(core.does(Input::GiveUp), ["stop Drained"]);
    assert_eq!(core.does(Input::GiveUp), [""; 0], "once is enough");
    let stopped = AttemptEvent::Ended(outcome(Some(ErrorClass::Preempted)));
    assert_eq!(core.does(Input::Attempt { task, epoch, event: stopped }), ["persist released drained"]);
    assert_eq!(core.core.view().running().count(), 0);

    let again = core.does(blocked(&[]));
    assert!(again.contains(&"persist leased".to_owned()), "{again:?}");
    let record = core.core.view().record(mine).expect("it is kept").resolve();
    let lease = record.lease.expect("it was leased again");
    assert_eq!((lease.attempt, lease.losses), (1, 0), "it is nobody's fault");
}

#[test]
fn what_comes_to_a_good_end_while_it_is_given_up_counts() {
    let mut core = Core::new();
    core.submit(echo());
    core.persisted();
    let (task, epoch) = core.core.view().running().next().expect("it runs");
    core.does(blocked(&[Blocked::Paused]));
    core.does(Input::GiveUp);
    let ended = AttemptEvent::Ended(outcome(None));
    assert_eq!(core.does(Input::Attempt { task, epoch, event: ended }), ["persist finished, settled"]);
}
