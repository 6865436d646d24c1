//! What a member that counts wrong may say. It does not lie about what is stored; its numbers are out of all proportion.

use rc_scheduler::{
    Answer, Ask, Beat, Close, Closed, DeviceId, Epoch, Fact, Facts, Grant, Hello, Incarnation, Leased, Live, Message,
    Outcome, PROTOCOL_VERSION, QueryReply, Released, Settled, Span, TaskId, Verdict, Want,
};

/// How many things [`say`] knows.
pub const KINDS: usize = 14;

const INC: Incarnation = Incarnation { boots: u32::MAX, wakes: u32::MAX };

/// Something absurd for `to`, whose incarnation is `inc`, about one of its tasks, said by `from`.
#[must_use]
pub fn say(kind: u8, to: DeviceId, inc: Incarnation, from: DeviceId, from_inc: Incarnation, task: TaskId) -> Message {
    let hello = |given_up| {
        Message::Hello(Hello {
            incarnation: from_inc,
            protocol: PROTOCOL_VERSION,
            members_hash: 0,
            given_up: Some(given_up),
            known: Some(inc),
            reply: true,
        })
    };
    let facts = |fact| Message::Facts(Facts { frame: 0, first: 0, facts: vec![(task, fact)] });
    let top = Epoch(u64::MAX);
    let (by, by_inc) = (from, from_inc);
    match kind {
        0 => hello(INC),
        1 => hello(Incarnation { boots: inc.boots, wakes: u32::MAX }),
        2 => Message::Ask(Ask { round: u64::MAX, lost: vec![(to, INC)], term: u32::MAX }),
        3 => Message::Answer(Answer { round: u64::MAX, heard: vec![to, from], term: (u32::MAX, from) }),
        4 => Message::Want(Want { count: u32::MAX, priority: rc_scheduler::Priority::Normal }),
        5 => Message::Grant(Grant { limit: u32::MAX }),
        6 => Message::Beat(Beat {
            incarnation: from_inc,
            number: u64::MAX,
            echo: u64::MAX,
            reply: true,
            guard: true,
            take: true,
            synced: true,
            held: u32::MAX,
            held_hash: u64::MAX,
        }),
        7 => facts(Fact::Leased(Leased {
            epoch: top,
            to,
            to_inc: INC,
            by,
            by_inc: INC,
            attempt: u32::MAX,
            losses: u32::MAX,
            score_ppm: u32::MAX,
            beside: None,
        })),
        8 => {
            let verdict = Verdict::Result(top);
            facts(Fact::Settled(Settled { round: u32::MAX, term: u32::MAX, by, by_inc: INC, verdict }))
        }
        9 => facts(Fact::Closed(Closed { epoch: top, by, by_inc: INC, close: Close::Released(Released::Stale) })),
        10 => {
            let outcome = Outcome {
                error: Some((rc_scheduler::ErrorClass::Task, String::new())),
                body: Vec::new().into(),
                started_wall_ms: u64::MAX,
                finished_wall_ms: u64::MAX,
                run: Span(u64::MAX),
            };
            facts(Fact::Closed(Closed { epoch: Epoch(1), by, by_inc, close: Close::Finished(outcome) }))
        }
        11 => Message::Live(Live {
            task,
            epoch: top,
            started_wall_ms: Some(u64::MAX),
            percent: Some(u8::MAX),
            text: "x".repeat(4_000),
        }),
        12 => Message::Reply(QueryReply { id: u64::MAX, facts: Vec::new(), more: true }),
        _ => Message::Facts(Facts { frame: u64::MAX, first: u64::MAX, facts: Vec::new() }),
    }
}
