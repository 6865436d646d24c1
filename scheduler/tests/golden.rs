//! The bytes of wire version 1: what is on disks and links today must be read by every later version. `UPDATE_GOLDEN=1 cargo test -p
//! rc-scheduler --test golden` writes the file anew; a changed line is a break with every older device.

use proptest::prelude::*;
use rc_scheduler::wire::{decode, decode_fact, encode, encode_fact};
use rc_scheduler::*;
use std::fmt::Write as _;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/version-1.txt");

/// What came later than the frame of facts among the messages.
const LATER: [&str; 9] = [
    "submitted with blobs",
    "closed refused for its type",
    "closed refused for its permissions",
    "closed refused for its sandbox",
    "cancel asked again",
    "reopened after a lease",
    "closed died",
    "submitted in a batch",
    "leased beside another",
];

fn device(n: u8) -> DeviceId {
    DeviceId([n; 16])
}

fn inc() -> Incarnation {
    Incarnation { boots: 3, wakes: 1 }
}

fn task() -> TaskId {
    TaskId([9; 16])
}

fn facts() -> Vec<(&'static str, Fact)> {
    let epoch = Epoch::new(5, 2, 0xabc);
    let outcome = |error| Outcome {
        error,
        body: b"{\"x\":1}".as_slice().into(),
        started_wall_ms: 1_700_000_000_000,
        finished_wall_ms: 1_700_000_001_000,
        run: Span::from_secs(1),
    };
    let close = |close| Fact::Closed(Closed { epoch, by: device(2), by_inc: inc(), close });
    let refused = |grounds| close(Close::Released(Released::Refused { record_sequence: 77, grounds }));
    let settle = |verdict| Fact::Settled(Settled { round: 1, term: 6, by: device(1), by_inc: inc(), verdict });
    let failed = |epoch| Verdict::Failed { class: ErrorClass::Task, message: "no".to_owned(), epoch };
    vec![
        (
            "submitted",
            Fact::Submitted(Submitted {
                by: device(1),
                by_inc: inc(),
                number: 4,
                nonce: u64::MAX,
                wall_ms: 1_700_000_000_000,
                spec: wire::encode_spec(&TaskSpec { task_type: "echo".to_owned(), ..TaskSpec::default() }),
                payload: b"{}".as_slice().into(),
            }),
        ),
        (
            "leased",
            Fact::Leased(Leased {
                epoch,
                to: device(2),
                to_inc: inc(),
                by: device(1),
                by_inc: inc(),
                attempt: 2,
                losses: 1,
                score_ppm: 654_321,
                beside: None,
            }),
        ),
        ("closed finished", close(Close::Finished(outcome(None)))),
        ("closed failed", close(Close::Finished(outcome(Some((ErrorClass::Timeout, "slow".to_owned())))))),
        ("closed superseded", close(Close::Released(Released::Superseded))),
        ("closed stale", close(Close::Released(Released::Stale))),
        ("closed refused", refused(Grounds::Busy)),
        ("closed isolated", close(Close::Released(Released::Isolated))),
        ("closed drained", close(Close::Released(Released::Drained))),
        ("cancel asked", Fact::CancelAsked(CancelAsked { by: device(3), round: 0 })),
        ("reopened", Fact::Reopened(Reopened { round: 2, by: device(3), settled_term: 6, epoch: Epoch(0) })),
        (
            "dependency done",
            Fact::DepDone(DepDone {
                dep: task(),
                by: device(1),
                status: Status::Completed,
                values: b"1".as_slice().into(),
            }),
        ),
        ("settled result", settle(Verdict::Result(epoch))),
        ("settled failed", settle(failed(Some(epoch)))),
        ("settled failed without a lease", settle(failed(None))),
        ("settled cancelled", settle(Verdict::Cancelled)),
        ("settled timeout", settle(Verdict::Timeout(epoch))),
        ("stable", Fact::Stable(Stable { round: 1, term: 6, by: device(1), disks: 2 })),
        ("of a later version", Fact::Unknown { kind: 200, body: [0xff, 1, 2].as_slice().into() }),
        (
            LATER[0],
            Fact::Submitted(Submitted {
                by: device(1),
                by_inc: inc(),
                number: 5,
                nonce: 1,
                wall_ms: 1_700_000_000_000,
                spec: wire::encode_spec(&TaskSpec {
                    task_type: "echo".to_owned(),
                    payload_blob: Some(BlobRef { hash: BlobHash([7; 32]), bytes: 1 << 30 }),
                    blobs: vec![BlobRef { hash: BlobHash([8; 32]), bytes: 65_537 }],
                    ..TaskSpec::default()
                }),
                payload: Bytes::default(),
            }),
        ),
        (LATER[1], refused(Grounds::TaskType)),
        (LATER[2], refused(Grounds::Permissions)),
        (LATER[3], refused(Grounds::Sandbox)),
        (LATER[4], Fact::CancelAsked(CancelAsked { by: device(3), round: 2 })),
        (LATER[5], Fact::Reopened(Reopened { round: 2, by: device(3), settled_term: 6, epoch: Epoch::new(5, 2, 1) })),
        (LATER[6], close(Close::Released(Released::Died))),
        (
            LATER[7],
            Fact::Submitted(Submitted {
                by: device(1),
                by_inc: inc(),
                number: 6,
                nonce: 2,
                wall_ms: 1_700_000_000_000,
                spec: wire::encode_spec(&TaskSpec {
                    task_type: "echo".to_owned(),
                    batch: Some(BatchPlace { batch: BatchId([6; 16]), index: 7, of: 1_000 }),
                    ..TaskSpec::default()
                }),
                payload: Bytes::default(),
            }),
        ),
        (
            LATER[8],
            Fact::Leased(Leased {
                epoch: Epoch(epoch.0 + (1 << 12)),
                to: device(3),
                to_inc: inc(),
                by: device(1),
                by_inc: inc(),
                attempt: 2,
                losses: 1,
                score_ppm: 654_320,
                beside: Some(epoch),
            }),
        ),
    ]
}

fn record() -> DeviceRecord {
    DeviceRecord {
        device: device(1),
        incarnation: inc(),
        sequence: 12,
        capacity: Capacity {
            name: "pi".to_owned(),
            role: Some(Role::Storage),
            platform: "linux".to_owned(),
            arch: "aarch64".to_owned(),
            cpu_cores_milli: Some(4_000),
            memory_total_bytes: Some(1 << 32),
            temperature_milli_c: Some(-5_000),
            max_concurrent_tasks: 4,
            task_types: ["echo".to_owned()].into(),
            blocked: [Blocked::Paused].into(),
            ..Capacity::default()
        },
        active_tasks: 1,
        queued_tasks: 2,
        latency_us: Some(800),
        affinity: ["echo".to_owned()].into(),
        protocol: 1,
        asks_internet: false,
    }
}

fn messages() -> Vec<(&'static str, Message)> {
    let all: Vec<_> =
        facts().into_iter().filter(|(name, _)| !LATER.contains(name)).map(|(_, fact)| (task(), fact)).collect();
    let member = Member { device: device(1), version: 2, keeps: true, retired: false, revoked: true };
    vec![
        (
            "hello",
            Message::Hello(Hello {
                incarnation: inc(),
                protocol: 1,
                members_hash: 42,
                given_up: Some(inc()),
                known: None,
                reply: true,
            }),
        ),
        (
            "beat",
            Message::Beat(Beat {
                incarnation: inc(),
                number: 7,
                echo: 6,
                reply: false,
                guard: true,
                take: true,
                synced: false,
                held: 2,
                held_hash: u64::MAX,
            }),
        ),
        ("facts", Message::Facts(Facts { frame: 1 << 32, first: 3, facts: all.clone() })),
        ("stored", Message::Stored(Stored { upto: 9 })),
        ("members", Message::Members(vec![member])),
        ("ask", Message::Ask(Ask { round: 8, lost: vec![(device(2), inc())], term: 6 })),
        ("answer", Message::Answer(Answer { round: 8, heard: vec![device(2)], term: (5, device(3)) })),
        ("want", Message::Want(Want { count: 3, priority: Priority::Urgent })),
        ("grant", Message::Grant(Grant { limit: 4 })),
        ("move", Message::Move(Move { count: 3, to: device(2) })),
        ("digest", Message::Digest(Digest { members_hash: 42, buckets: vec![1, u64::MAX], reply: true })),
        (
            "summary",
            Message::Summary(Summary {
                buckets: vec![0, 255],
                from: TaskId([0; 16]),
                upto: TaskId([0xff; 16]),
                entries: vec![(task(), u64::MAX)],
            }),
        ),
        ("lack", Message::Lack(Lack { tasks: vec![task()] })),
        ("strays", Message::Strays(Strays { entries: vec![(task(), u64::MAX)] })),
        ("strayed", Message::Strayed(Strayed { upto: task(), lack: vec![task()] })),
        ("graves", Message::Graves(vec![(device(1), vec![(1, 7), (1 << 33, u64::MAX)])])),
        (
            "buried",
            Message::Buried(Buried {
                tasks: vec![(task(), Tomb { hash: u64::MAX, ended_s: 0, numbers: vec![(device(1), 1 << 33)] })],
            }),
        ),
        ("resend", Message::Resend(Resend)),
        ("query task", Message::Query(Query { id: 1, about: About::Task(task()) })),
        ("query prefix", Message::Query(Query { id: 2, about: About::Prefix("01h".to_owned()) })),
        ("query list", Message::Query(Query { id: 3, about: About::List(20) })),
        ("query open of a type", Message::Query(Query { id: 4, about: About::OpenOf("wasm_type".to_owned()) })),
        ("query batch", Message::Query(Query { id: 5, about: About::Batch(BatchId([6; 16]), 0x180) })),
        ("query batches", Message::Query(Query { id: 6, about: About::Batches(20) })),
        (
            "batch reply",
            Message::BatchReply(BatchReply {
                id: 5,
                batches: vec![(BatchId([6; 16]), 1_000)],
                marks: [0, 7, 0x11].as_slice().into(),
                tasks: vec![(2, task())],
                more: true,
            }),
        ),
        ("reply", Message::Reply(QueryReply { id: 1, facts: all[1..3].to_vec(), more: true })),
        (
            "live",
            Message::Live(Live {
                task: task(),
                epoch: Epoch::new(5, 2, 1),
                started_wall_ms: Some(1_700_000_000_000),
                percent: Some(50),
                text: "half".to_owned(),
            }),
        ),
        ("record", Message::Record(Box::new(record()))),
        ("await", Message::Await(Await { tasks: vec![task()] })),
        (
            "awaited",
            Message::Awaited(Awaited {
                ended: vec![(task(), Status::Completed, b"{}".as_slice().into())],
                lacking: vec![TaskId([3; 16])],
            }),
        ),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _: std::fmt::Result = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("the file holds hex")).collect()
}

#[test]
fn version_1_is_written_and_read_as_ever() {
    let mut text = String::from("# Wire version 1: kind of thing, its name, its bytes. See golden.rs.\n");
    for (name, fact) in facts() {
        let (kind, body) = encode_fact(&fact);
        let _: std::fmt::Result = writeln!(text, "fact | {name} | {kind:02x}{}", hex(&body));
    }
    for (name, message) in messages() {
        let _: std::fmt::Result = writeln!(text, "message | {name} | {}", hex(&encode(&message)));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &text).expect("the file can be written");
    }
    let golden = std::fs::read_to_string(GOLDEN).expect("the file is checked in");
    for (now, then) in text.lines().zip(golden.lines()) {
        assert_eq!(now, then);
    }
    assert_eq!(text.lines().count(), golden.lines().count());
    let lines: Vec<Vec<u8>> = golden.lines().skip(1).filter_map(|line| line.rsplit(" | ").next()).map(bytes).collect();
    for ((name, fact), line) in facts().into_iter().zip(&lines) {
        assert_eq!(decode_fact(line[0], &line[1..]).as_ref(), Ok(&fact), "{name}");
    }
    for ((name, message), line) in messages().into_iter().zip(&lines[facts().len()..]) {
        assert_eq!(decode(line).as_ref(), Ok(&message), "{name}");
    }
}

#[test]
fn a_fact_of_a_kind_that_is_not_known_here_travels_on_unchanged() {
    let unknown = Fact::Unknown { kind: 99, body: [1, 2, 3].as_slice().into() };
    let message = Message::Facts(Facts { frame: 1, first: 1, facts: vec![(task(), unknown.clone())] });
    let Ok(Message::Facts(frame)) = decode(&encode(&message)) else { panic!("a frame of facts") };
    let record = Record::from_facts(frame.facts.into_iter().map(|(_, fact)| fact));
    let kept: Vec<_> = record.facts().map(encode_fact).collect();
    assert_eq!(kept, [(99, vec![1, 2, 3])]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0u8..20) {
        let _ = decode(&bytes);
        let _ = decode_fact(kind, &bytes);
        let with_kind: Vec<u8> = [kind].into_iter().chain(bytes).collect();
        let _ = decode(&with_kind);
    }

    #[test]
    fn damaged_messages_never_panic_and_what_is_read_can_be_written(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        cut_it in any::<bool>(),
    ) {
        let all = messages();
        let mut bytes = encode(&which.get(&all).1);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut_it {
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        if let Ok(message) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&message)), Ok(message));
        }
    }
}
