//! What devices say to each other: messages, facts, device records, and a whole core that hears them.

use super::Target;
use rc_scheduler::{
    Beat, Capacity, Config, DeviceId, Durable, Hello, Incarnation, Input, Message, Mono, Now, Output, Record,
    Scheduler, Span, wire,
};

pub fn all() -> Vec<Target> {
    vec![
        Target { name: "message", run: message, seeds: messages, weight: 1 },
        Target { name: "fact", run: fact, seeds: facts, weight: 1 },
        Target { name: "device_record", run: device_record, seeds: records, weight: 1 },
        Target { name: "core", run: core, seeds: conversations, weight: 2 },
    ]
}

/// The examples of every kind of fact and message that there is.
const GOLDEN: &str = include_str!("../../../scheduler/tests/golden/version-1.txt");

fn golden(kind: &str) -> Vec<Vec<u8>> {
    let lines = GOLDEN.lines().filter_map(|line| line.strip_prefix(kind)?.rsplit(" | ").next());
    let byte = |hex: &str| u8::from_str_radix(hex, 16).unwrap_or_default();
    lines.map(|hex| (0..hex.len() / 2).map(|n| byte(&hex[2 * n..2 * n + 2])).collect()).collect()
}

fn messages() -> Vec<Vec<u8>> {
    golden("message")
}

/// Kind and body, as on disk.
fn facts() -> Vec<Vec<u8>> {
    golden("fact")
}

/// The body of the message that carries one.
fn records() -> Vec<Vec<u8>> {
    golden("message | record").into_iter().map(|bytes| bytes[1..].to_vec()).collect()
}

fn message(bytes: &[u8]) {
    if let Ok(message) = wire::decode(bytes) {
        assert_eq!(wire::decode(&wire::encode(&message)), Ok(message), "a message is what it was");
    }
}

fn fact(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else { return };
    if let Ok(fact) = wire::decode_fact(*kind, body) {
        let (kind, again) = wire::encode_fact(&fact);
        assert_eq!(wire::decode_fact(kind, &again).as_ref(), Ok(&fact), "a fact is what it was");
        let mut record = Record::from_facts([fact.clone(), fact]);
        record.normalise();
        let _ = record.resolve();
    }
}

fn device_record(bytes: &[u8]) {
    if let Ok(record) = wire::decode_record(bytes) {
        assert_eq!(wire::decode_record(&wire::encode_record(&record)), Ok(record), "a record is what it was");
    }
}

const ME: DeviceId = DeviceId([1; 16]);
const PEER: DeviceId = DeviceId([2; 16]);
const INC: Incarnation = Incarnation { boots: 1, wakes: 0 };
/// Effects of one input. A message has at most a few thousand facts, and each leads to few of them.
const EFFECTS_MAX: usize = 100_000;

/// Messages for [`core`]: each with its length, two bytes, before it.
fn conversations() -> Vec<Vec<u8>> {
    let framed = |message: &Vec<u8>| [&(message.len() as u16).to_be_bytes()[..], message].concat();
    let all = messages();
    let mut talks: Vec<Vec<u8>> = all.iter().map(framed).collect();
    talks.push(all.iter().map(framed).collect::<Vec<_>>().concat());
    talks.push(all.iter().rev().map(framed).collect::<Vec<_>>().concat());
    talks
}

/// A whole core in session with a peer that says all this. Between two messages time passes and the disk writes.
fn core(bytes: &[u8]) {
    let mut now = Now { mono: Mono(1_000_000), wall_ms: 1_700_000_000_000 };
    let durable = Durable { incarnation: INC, ..Durable::default() };
    let Ok(mut core) = Scheduler::restore(ME, Config::default(), [7; 32], durable, now) else { return };
    let mut give = |input: Input, after: Span| {
        now.mono = now.mono + after;
        core.handle(now, input);
        let mut effects = 0;
        while let Output::Effect(_) = core.poll() {
            effects += 1;
            assert!(effects < EFFECTS_MAX, "it does not come to rest");
        }
        assert!(core.check_invariants().is_ok(), "{:?}", core.check_invariants());
    };
    let soon = Span::from_ms(1);
    let task_types = ["echo".to_owned()].into();
    give(Input::Capacity(Box::new(Capacity { max_concurrent_tasks: 2, task_types, ..Capacity::default() })), soon);
    give(Input::PeerUp(PEER), soon);
    let hello =
        Hello { incarnation: INC, protocol: 1, members_hash: 0, given_up: None, known: Some(INC), reply: false };
    give(Input::Message { from: PEER, message: Message::Hello(hello) }, soon);
    let beat = |number| Beat {
        incarnation: INC,
        number,
        echo: number,
        reply: true,
        guard: true,
        take: true,
        synced: true,
        held: 0,
        held_hash: 0,
    };
    give(Input::Persisted { upto: u64::MAX }, soon);
    give(Input::Message { from: PEER, message: Message::Beat(beat(1)) }, soon);
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (said, after) = after.split_at(length);
        rest = after;
        match wire::decode(said) {
            Ok(message) => give(Input::Message { from: PEER, message }, soon),
            Err(_) => match wire::decode_record(said) {
                Ok(record) => give(Input::Device(Box::new(record)), soon),
                Err(_) => give(Input::Tick, Span::from_ms(600)),
            },
        }
        give(Input::Persisted { upto: u64::MAX }, soon);
    }
    give(Input::Tick, Span::from_secs(2));
    give(Input::PeerDown(PEER), soon);
    give(Input::Tick, Span::from_secs(60));
}
