//! What sets of facts mean, as a table.

use super::*;
use crate::id::{DeviceId, Epoch, Incarnation};
use crate::task::{ErrorClass, Status};
use crate::time::Span;
use alloc::string::ToString;
use alloc::vec;

const INC: Incarnation = Incarnation { boots: 1, wakes: 0 };

fn device(n: u8) -> DeviceId {
    DeviceId([n; 16])
}

fn epoch(n: u32) -> Epoch {
    Epoch::new(1, n, 7)
}

fn submitted(by: u8) -> Fact {
    let by = device(by);
    Fact::Submitted(Submitted {
        by,
        by_inc: INC,
        number: 1,
        nonce: 0,
        wall_ms: 0,
        spec: [].as_slice().into(),
        payload: [].as_slice().into(),
    })
}

fn leased(n: u32) -> Fact {
    let (to, by) = (device(2), device(1));
    Fact::Leased(Leased {
        epoch: epoch(n),
        to,
        to_inc: INC,
        by,
        by_inc: INC,
        attempt: 1,
        losses: 0,
        score_ppm: 0,
        beside: None,
    })
}

fn closed(n: u32, close: Close) -> Fact {
    Fact::Closed(Closed { epoch: epoch(n), by: device(2), by_inc: INC, close })
}

fn finished(n: u32, error: Option<ErrorClass>) -> Fact {
    let error = error.map(|class| (class, "why".to_string()));
    let outcome =
        Outcome { error, body: [].as_slice().into(), started_wall_ms: 0, finished_wall_ms: 0, run: Span::ZERO };
    closed(n, Close::Finished(outcome))
}

fn settled(term: u32, by: u8, verdict: Verdict) -> Fact {
    Fact::Settled(Settled { round: 0, term, by: device(by), by_inc: INC, verdict })
}

fn stable(term: u32, by: u8) -> Fact {
    Fact::Stable(Stable { round: 0, term, by: device(by), disks: 2 })
}

fn cancel() -> Fact {
    Fact::CancelAsked(CancelAsked { by: device(3), round: 0 })
}

#[test]
fn status_follows_from_the_facts() {
    let lost = Released::Stale;
    let failed = Verdict::Failed { class: ErrorClass::Task, message: "why".to_string(), epoch: Some(epoch(0)) };
    let table = [
        ("accepted", vec![], Status::Pending),
        ("leased", vec![leased(0)], Status::Assigned),
        ("given back", vec![leased(0), closed(0, Close::Released(lost))], Status::Queued),
        ("failed once", vec![leased(0), finished(0, Some(ErrorClass::Network))], Status::Retrying),
        ("leased again", vec![leased(0), finished(0, Some(ErrorClass::Network)), leased(1)], Status::Assigned),
        ("done, not decided", vec![leased(0), finished(0, None)], Status::Running),
        (
            "decided, not stable",
            vec![leased(0), finished(0, None), settled(1, 1, Verdict::Result(epoch(0)))],
            Status::Running,
        ),
        (
            "stable",
            vec![leased(0), finished(0, None), settled(1, 1, Verdict::Result(epoch(0))), stable(1, 1)],
            Status::Completed,
        ),
        (
            "stable, outcome missing",
            vec![leased(0), settled(1, 1, Verdict::Result(epoch(0))), stable(1, 1)],
            Status::Assigned,
        ),
        ("cancel asked", vec![cancel()], Status::Cancelling),
        ("cancel asked while it runs", vec![leased(0), cancel()], Status::Cancelling),
        ("cancelled", vec![cancel(), settled(1, 1, Verdict::Cancelled), stable(1, 1)], Status::Cancelled),
        (
            "cancelled too late",
            vec![leased(0), finished(0, None), cancel(), settled(1, 1, Verdict::Result(epoch(0))), stable(1, 1)],
            Status::Completed,
        ),
        (
            "failed",
            vec![leased(0), finished(0, Some(ErrorClass::Task)), settled(1, 1, failed), stable(1, 1)],
            Status::Failed,
        ),
        (
            "out of time",
            vec![
                leased(0),
                finished(0, Some(ErrorClass::Timeout)),
                settled(1, 1, Verdict::Timeout(epoch(0))),
                stable(1, 1),
            ],
            Status::Timeout,
        ),
    ];
    for (name, facts, status) in table {
        let record = Record::from_facts([submitted(1)].into_iter().chain(facts));
        assert_eq!(record.resolve().status(), status, "{name}");
    }
}

#[test]
fn of_two_decisions_the_stable_one_wins_then_the_higher_term() {
    let table = [
        ("higher term", vec![settled(1, 1, Verdict::Cancelled), settled(2, 2, Verdict::Timeout(epoch(0)))], 2),
        (
            "same term, higher device",
            vec![settled(2, 1, Verdict::Cancelled), settled(2, 2, Verdict::Timeout(epoch(0)))],
            2,
        ),
        ("stable", vec![settled(1, 1, Verdict::Cancelled), stable(1, 1), settled(2, 2, Verdict::Timeout(epoch(0)))], 1),
        (
            "both stable",
            vec![
                settled(1, 1, Verdict::Cancelled),
                stable(1, 1),
                settled(2, 2, Verdict::Timeout(epoch(0))),
                stable(2, 2),
            ],
            2,
        ),
        (
            "a mark of another decision",
            vec![settled(1, 1, Verdict::Cancelled), stable(2, 1), settled(2, 2, Verdict::Timeout(epoch(0)))],
            2,
        ),
    ];
    for (name, facts, by) in table {
        let record = Record::from_facts(facts);
        assert_eq!(record.resolve().settled.map(|end| end.by), Some(device(by)), "{name}");
    }
}

#[test]
fn a_later_life_or_another_device_does_not_close_a_lease() {
    let other = Closed {
        epoch: epoch(0),
        by: device(2),
        by_inc: Incarnation { boots: 2, wakes: 0 },
        close: Close::Released(Released::Stale),
    };
    let record = Record::from_facts([submitted(1), leased(0), Fact::Closed(other)]);
    assert!(record.resolve().closed.is_none());
}

#[test]
fn the_good_outcome_of_the_lowest_lease_counts_even_while_a_later_one_runs() {
    let record =
        Record::from_facts([submitted(1), leased(0), leased(1), leased(2), finished(1, None), finished(0, None)]);
    let state = record.resolve();
    assert_eq!(state.good.map(|(epoch, _)| epoch), Some(epoch(0)));
    assert_eq!(state.lease.map(|lease| lease.epoch), Some(epoch(2)));
}

#[test]
fn two_values_for_one_key_leave_the_same_one_in_any_order() {
    let (a, b) = (finished(0, None), finished(0, Some(ErrorClass::Task)));
    let mut forward = Record::from_facts([a.clone()]);
    assert!(matches!(forward.merge(b.clone()), Merged::Conflict(_)));
    let backward = Record::from_facts([b, a]);
    assert_eq!(forward, backward);
}

#[test]
fn a_new_round_sheds_the_decisions_of_the_one_before() {
    let again = Fact::Reopened(Reopened { round: 1, by: device(3), settled_term: 1, epoch: Epoch(0) });
    let mut record = Record::from_facts([submitted(1), settled(1, 1, Verdict::Cancelled), stable(1, 1), again]);
    assert_eq!(record.normalise().len(), 2);
    assert_eq!(record.resolve().status(), Status::Pending);
    assert_eq!(record.resolve().round, 1);
}

#[test]
fn what_may_have_been_told_gives_way_to_nothing() {
    let told = [submitted(1), leased(9), finished(9, None), settled(1, 1, Verdict::Result(epoch(9))), stable(1, 1)];
    let later = (2..9).map(|term| settled(term, 2, Verdict::Cancelled));
    let lower = (0..6).map(|n| finished(n, None));
    let mut record = Record::from_facts(told.into_iter().chain(later).chain(lower));
    assert!(!record.normalise().is_empty());
    let state = record.resolve();
    assert_eq!(state.settled.map(|end| end.term), Some(1));
    assert!(state.is_reportable(), "the outcome that it names is kept, too");
}

#[test]
fn of_two_ends_of_one_lease_the_good_one_stays() {
    for (a, b) in [(None, Some(ErrorClass::Task)), (Some(ErrorClass::Task), None)] {
        let record = Record::from_facts([submitted(1), leased(0), finished(0, a), finished(0, b)]);
        assert!(record.resolve().good.is_some());
    }
    let gone = closed(0, Close::Released(Released::Stale));
    let record = Record::from_facts([submitted(1), leased(0), gone, finished(0, Some(ErrorClass::Task))]);
    assert!(record.outcome(epoch(0)).is_some());
}

/// A lease beside the one of epoch `first`, to another device.
fn copied(n: u32, first: u32) -> Fact {
    let Fact::Leased(lease) = leased(n) else { unreachable!() };
    Fact::Leased(Leased { to: device(4), beside: Some(epoch(first)), ..lease })
}

fn copy_ends(n: u32, error: Option<ErrorClass>) -> Fact {
    let Fact::Closed(closed) = finished(n, error) else { unreachable!() };
    Fact::Closed(Closed { by: device(4), ..closed })
}

#[test]
fn a_copy_ends_nothing_and_counts_beside_the_current_lease_only() {
    let lost = || closed(0, Close::Released(Released::Stale));
    let no = Some(ErrorClass::Network);
    let table = [
        ("both run", vec![leased(0), copied(1, 0)], Some(0), Some(1), Status::Assigned),
        ("the first is given back", vec![leased(0), copied(1, 0), lost()], Some(0), Some(1), Status::Assigned),
        ("the first failed", vec![leased(0), copied(1, 0), finished(0, no)], Some(0), Some(1), Status::Assigned),
        ("the copy failed", vec![leased(0), copied(1, 0), copy_ends(1, no)], Some(0), Some(1), Status::Assigned),
        (
            "both failed",
            vec![leased(0), copied(1, 0), finished(0, no), copy_ends(1, no)],
            Some(0),
            Some(1),
            Status::Retrying,
        ),
        (
            "the first lost, the copy failed",
            vec![leased(0), copied(1, 0), lost(), copy_ends(1, no)],
            Some(0),
            Some(1),
            Status::Retrying,
        ),
        ("the copy is done", vec![leased(0), copied(1, 0), copy_ends(1, None)], Some(0), Some(1), Status::Running),
        ("leased anew", vec![leased(0), copied(1, 0), leased(2)], Some(2), None, Status::Assigned),
        ("leased anew in between", vec![leased(0), copied(2, 0), leased(1)], Some(1), None, Status::Assigned),
        ("without the first", vec![copied(1, 0)], None, None, Status::Pending),
        ("beside itself", vec![leased(0), copied(1, 1)], Some(0), None, Status::Assigned),
        ("beside a later one", vec![leased(1), copied(0, 1)], Some(1), None, Status::Assigned),
    ];
    for (name, facts, lease, copy, status) in table {
        let record = Record::from_facts([submitted(1)].into_iter().chain(facts));
        let state = record.resolve();
        assert_eq!(state.lease.map(|lease| lease.epoch), lease.map(epoch), "{name}");
        assert_eq!(state.copy.map(|lease| lease.epoch), copy.map(epoch), "{name}");
        assert_eq!(state.status(), status, "{name}");
    }
    // The next lease is above both, and a new round forgets both.
    let again = Fact::Reopened(Reopened { round: 1, by: device(3), settled_term: 1, epoch: epoch(1) });
    let record = Record::from_facts([submitted(1), leased(0), copied(1, 0), again]);
    let state = record.resolve();
    assert_eq!((state.fence.map(|lease| lease.epoch), state.lease, state.copy), (Some(epoch(1)), None, None));
}

#[test]
fn an_attempt_failed_once_however_many_of_its_leases_did() {
    let no = |class| Some(class);
    let of = |facts: Vec<Fact>| {
        let record = Record::from_facts(facts);
        record.resolve().failure().map(|(closed, _)| closed.epoch)
    };
    let (first, copy) = (finished(0, no(ErrorClass::Task)), copy_ends(1, no(ErrorClass::Network)));
    let both = [leased(0), copied(1, 0)];
    let with = |more: &[Fact]| both.iter().chain(more).cloned().collect::<Vec<_>>();
    assert_eq!(of(with(&[])), None);
    assert_eq!(of(with(core::slice::from_ref(&first))), Some(epoch(0)));
    assert_eq!(of(with(core::slice::from_ref(&copy))), Some(epoch(1)));
    assert_eq!(of(with(&[copy, first])), Some(epoch(0)));
    assert_eq!(of(with(&[closed(0, Close::Released(Released::Drained))])), None);
}
