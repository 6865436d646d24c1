use super::*;
use rc_scheduler::{
    CancelAsked, Close, Closed, DeviceId, Epoch, Fact, Incarnation, Leased, Outcome, Reopened, Settled, Span, Stable,
    Status, Submitted, TaskSpec,
};

const A: DeviceId = DeviceId([1; 16]);
const B: DeviceId = DeviceId([2; 16]);
const INC: Incarnation = Incarnation { boots: 1, wakes: 0 };

fn submitted() -> Fact {
    let (spec, payload) = (Bytes::default(), b"{}".as_slice().into());
    Fact::Submitted(Submitted { by: A, by_inc: INC, number: 1, nonce: 1, wall_ms: 5, spec, payload })
}

fn leased(n: u32, attempt: u32) -> Fact {
    let epoch = Epoch::new(1, n, 0);
    Fact::Leased(Leased {
        epoch,
        to: B,
        to_inc: INC,
        by: A,
        by_inc: INC,
        attempt,
        losses: 0,
        score_ppm: 1,
        beside: None,
    })
}

fn closed(n: u32, error: Option<ErrorClass>, finished_wall_ms: u64) -> Fact {
    let error = error.map(|class| (class, "why".to_owned()));
    let outcome =
        Outcome { error, body: Bytes::default(), started_wall_ms: 1, finished_wall_ms, run: Span::from_ms(3) };
    Fact::Closed(Closed { epoch: Epoch::new(1, n, 0), by: B, by_inc: INC, close: Close::Finished(outcome) })
}

fn settled(verdict: Verdict) -> [Fact; 2] {
    let settled = Settled { round: 0, term: 1, by: A, by_inc: INC, verdict };
    [Fact::Settled(settled), Fact::Stable(Stable { round: 0, term: 1, by: A, disks: 2 })]
}

fn names(record: &Record) -> Vec<&'static str> {
    history(record).iter().map(|row| row.fact).collect()
}

#[test]
fn history_reads_in_the_order_of_events() {
    let mut facts = vec![closed(2, None, 20), leased(2, 2), closed(1, Some(ErrorClass::Network), 10), leased(1, 1)];
    facts.extend(settled(Verdict::Result(Epoch::new(1, 2, 0))));
    facts.push(submitted());
    let record = Record::from_facts(facts);
    assert_eq!(names(&record), ["submitted", "leased", "closed", "leased", "closed", "settled", "stable"]);
    let rows = history(&record);
    assert_eq!(
        rows.iter().map(|row| row.superseded).collect::<Vec<_>>(),
        [false, true, false, false, false, false, false]
    );
    assert_eq!(rows[2].text, "network_error: why");
}

#[test]
fn a_task_that_begins_again_is_read_round_by_round() {
    let mut facts = vec![closed(2, None, 20), leased(2, 1), closed(1, Some(ErrorClass::Task), 10), leased(1, 1)];
    let verdict = Verdict::Failed { class: ErrorClass::Task, message: String::new(), epoch: Some(Epoch::new(1, 1, 0)) };
    facts.extend(settled(verdict));
    let (round, settled_term, epoch) = (1, 1, Epoch::new(1, 1, 0));
    facts.push(Fact::Reopened(Reopened { round, by: B, settled_term, epoch }));
    facts.push(Fact::CancelAsked(CancelAsked { by: A, round }));
    facts.push(submitted());
    let record = Record::from_facts(facts);
    let rows = history(&record);
    let first = ["submitted", "leased", "closed", "settled", "stable"];
    assert_eq!(names(&record), [&first[..], &["reopened", "leased", "closed", "cancel_asked"]].concat());
    let at: Vec<_> = rows.iter().filter_map(|row| row.at_wall_ms).collect();
    assert_eq!(at, [5, 10, 20], "the submit and the two ends");
}

#[test]
fn an_attempt_that_ends_after_the_decision_is_late() {
    let mut facts = vec![submitted(), leased(1, 1), leased(2, 1), closed(2, None, 20), closed(1, None, 30)];
    facts.extend(settled(Verdict::Result(Epoch::new(1, 2, 0))));
    let record = Record::from_facts(facts);
    let rows = attempts::attempts(&record, &record.resolve(), None);
    let seen: Vec<_> = rows.iter().map(|row| (row.outcome.as_str(), row.late)).collect();
    assert_eq!(seen, [("completed", true), ("completed", false)]);
}

#[test]
fn what_will_not_be_tried_again_is_not_said_to_be() {
    let spec = TaskSpec::default();
    let last = |class, attempt| {
        let record = Record::from_facts([submitted(), leased(1, attempt), closed(1, Some(class), 20)]);
        standing::is_last(&record.resolve(), Some(&spec))
    };
    assert!(last(ErrorClass::PermissionDenied, 1) && last(ErrorClass::Task, 1) && last(ErrorClass::Network, 4));
    assert!(!last(ErrorClass::Network, 1) && !last(ErrorClass::Network, 3));
}

#[test]
fn a_lease_without_an_end_is_lost_once_another_follows() {
    let record = Record::from_facts([submitted(), leased(1, 1), leased(2, 1)]);
    let rows = attempts::attempts(&record, &record.resolve(), None);
    assert_eq!(rows.iter().map(|row| row.outcome.as_str()).collect::<Vec<_>>(), ["lost", "assigned"]);
    let facts = [submitted(), leased(1, 1), Fact::CancelAsked(CancelAsked { by: A, round: 0 })];
    let record = Record::from_facts(facts.into_iter().chain(settled(Verdict::Cancelled)));
    assert_eq!(record.resolve().status(), Status::Cancelled);
    assert_eq!(names(&record), ["submitted", "leased", "cancel_asked", "settled", "stable"]);
}
