//! What makes copies agree: merging facts is set union with a bounded normal form, whatever the order and however often they come.

use proptest::prelude::*;
use rc_scheduler::{
    CancelAsked, Close, Closed, DepDone, DeviceId, Epoch, ErrorClass, Fact, FactKey, Incarnation, Leased, Outcome,
    Record, Released, Reopened, Settled, Span, Stable, Status, Submitted, TaskId, Verdict,
};

fn device(n: u8) -> DeviceId {
    DeviceId([n; 16])
}

fn inc(n: u8) -> Incarnation {
    Incarnation { boots: 1 + u32::from(n / 2), wakes: u32::from(n % 2) }
}

/// The value of a key is a function of the key: writers are honest.
fn fact() -> impl Strategy<Value = Fact> {
    let small = 0u8..4;
    (0u8..10, small.clone(), small.clone(), 0u32..3, 0u32..5).prop_map(|(kind, d, i, term, n)| {
        let epoch = Epoch::new(term, n, u16::from(d));
        match kind {
            0 => Fact::Submitted(Submitted {
                by: device(d),
                by_inc: inc(d),
                number: 1,
                nonce: 0,
                wall_ms: 7,
                spec: vec![1u8].into(),
                payload: vec![2u8].into(),
            }),
            1 => Fact::Leased(Leased {
                epoch,
                to: device(d),
                to_inc: inc(d),
                by: device(d),
                by_inc: inc(d),
                attempt: n,
                losses: 0,
                score_ppm: 0,
                // Some are copies beside another lease, some beside one that comes later, or beside themselves.
                beside: (i > 2).then(|| Epoch::new(term, n.saturating_sub(u32::from(i) % 3), u16::from(d))),
            }),
            2 | 3 => Fact::Closed(Closed {
                epoch,
                by: device(d),
                by_inc: inc(d),
                close: match n % 3 {
                    0 => Close::Released(Released::Stale),
                    outcome => Close::Finished(Outcome {
                        error: (outcome == 1).then(|| (ErrorClass::Task, "no".to_owned())),
                        body: vec![n as u8].into(),
                        started_wall_ms: 1,
                        finished_wall_ms: 2,
                        run: Span(1),
                    }),
                },
            }),
            4 => Fact::CancelAsked(CancelAsked { by: device(d), round: term % 3 }),
            5 => Fact::Reopened(Reopened {
                round: term,
                by: device(d),
                settled_term: term,
                epoch: Epoch::new(term, n % 3, 0),
            }),
            6 => Fact::DepDone(DepDone {
                dep: TaskId([i; 16]),
                by: device(d),
                status: Status::Completed,
                values: vec![].into(),
            }),
            7 | 9 => Fact::Settled(Settled {
                round: term,
                term: n,
                by: device(d),
                by_inc: inc(i),
                verdict: match n % 4 {
                    0 => Verdict::Cancelled,
                    1 => Verdict::Timeout(epoch),
                    2 => Verdict::Failed { class: ErrorClass::Task, message: "no".to_owned(), epoch: Some(epoch) },
                    _ => Verdict::Result(epoch),
                },
            }),
            _ if i == 0 => Fact::Unknown { kind: 100 + d, body: vec![n as u8].into() },
            _ => Fact::Stable(Stable { round: term, term: n, by: device(d), disks: 2 }),
        }
    })
}

fn facts() -> impl Strategy<Value = Vec<Fact>> {
    prop::collection::vec(fact(), 0..40)
}

fn record(facts: impl IntoIterator<Item = Fact>) -> Record {
    let mut record = Record::from_facts(facts);
    record.normalise();
    record
}

/// Sorted, as two copies may keep the same facts in different slots.
fn keys(record: &Record) -> Vec<FactKey> {
    let mut keys: Vec<_> = record.facts().map(Fact::key).collect();
    keys.sort_unstable();
    keys
}

fn union(a: &Record, b: &Record) -> Record {
    record(a.facts().chain(b.facts()).cloned())
}

/// No more settlements and ends than the normal form has room for. Of more, a copy that learns late which one was told may have
/// let it go; whoever told it has not, and the comparison of digests brings it back.
fn fitting(facts: Vec<Fact>) -> Vec<Fact> {
    let mut seen = [const { std::collections::BTreeSet::new() }; 3];
    let room = |fact: &Fact| match fact {
        Fact::Settled(_) => Some((0, 4)),
        Fact::Closed(closed) => match &closed.close {
            Close::Finished(outcome) if outcome.error.is_none() => Some((1, 4)),
            _ => Some((2, 8)),
        },
        _ => None,
    };
    let mut fits = |fact: &Fact| {
        room(fact).is_none_or(|(kind, most)| {
            let keys: &mut std::collections::BTreeSet<FactKey> = &mut seen[kind];
            keys.contains(&fact.key()) || (keys.len() < most && keys.insert(fact.key()))
        })
    };
    facts.into_iter().filter(|fact| fits(fact)).collect()
}

/// Fitting as a whole, in parts of about these lengths.
fn parts<const N: usize>(lists: [Vec<Fact>; N]) -> [Record; N] {
    let lengths = lists.each_ref().map(Vec::len);
    let mut all = fitting(lists.into_iter().flatten().collect()).into_iter();
    lengths.map(|length| record(all.by_ref().take(length)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_two_orders_of_delivery_give_one_record_and_one_meaning(facts in facts(), seed in any::<u64>()) {
        let mut shuffled = facts.clone();
        let mut state = seed | 1;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, (state >> 33) as usize % (i + 1));
        }
        let (a, b) = (record(facts), record(shuffled));
        prop_assert_eq!(keys(&a), keys(&b));
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(a.hash(), b.hash());
        prop_assert_eq!(format!("{:?}", a.resolve()), format!("{:?}", b.resolve()));
    }

    #[test]
    fn merging_is_commutative_and_idempotent(a in facts(), b in facts()) {
        let [a, b] = parts([a, b]);
        prop_assert_eq!(union(&a, &b), union(&b, &a));
        prop_assert_eq!(union(&a, &a), a.clone());
        let ab = union(&a, &b);
        prop_assert_eq!(union(&ab, &a), ab.clone());
        prop_assert_eq!(union(&ab, &b), ab);
    }

    #[test]
    fn merging_is_associative(a in facts(), b in facts(), c in facts()) {
        let [a, b, c] = parts([a, b, c]);
        prop_assert_eq!(union(&union(&a, &b), &c), union(&a, &union(&b, &c)));
    }

    /// Each copy may be brought into its normal form at any time, before or after it hears of more.
    #[test]
    fn it_does_not_matter_when_a_copy_is_normalised(facts in facts(), every in 1usize..6) {
        let facts = fitting(facts);
        let mut often = Record::default();
        for (index, fact) in facts.iter().enumerate() {
            often.merge(fact.clone());
            if index % every == 0 {
                often.normalise();
            }
        }
        often.normalise();
        prop_assert_eq!(often, record(facts));
    }

    #[test]
    fn the_normal_form_is_bounded_and_stable(facts in facts()) {
        let mut record = record(facts);
        let kinds = |is: fn(&Fact) -> bool| record.facts().filter(|fact| is(fact)).count();
        prop_assert!(kinds(|f| matches!(f, Fact::Leased(_))) <= 8);
        prop_assert!(kinds(|f| matches!(f, Fact::Closed(_))) <= 12);
        prop_assert!(kinds(|f| matches!(f, Fact::Settled(_))) <= 4);
        prop_assert!(kinds(|f| matches!(f, Fact::Stable(_))) <= 4);
        prop_assert!(record.normalise().is_empty());
    }

    /// Nothing that is added later takes back that a task has ended, except a new round.
    #[test]
    fn a_stable_end_stays_an_end(facts in facts(), told in 0u32..5, by in 0u8..4) {
        let settled = Settled { round: 0, term: told, by: device(by), by_inc: inc(0), verdict: Verdict::Cancelled };
        let stable = Stable { round: 0, term: told, by: device(by), disks: 2 };
        let more = facts.into_iter().filter(|fact| match fact {
            // A device takes a new term in each of its lives.
            Fact::Settled(rival) if (rival.term, rival.by) == (told, device(by)) => false,
            Fact::Reopened(_) | Fact::Stable(_) => false,
            _ => true,
        });
        let late = record([Fact::Settled(settled.clone()), Fact::Stable(stable)].into_iter().chain(more));
        prop_assert!(late.resolve().is_reportable());
        prop_assert_eq!(late.resolve().settled.map(|end| (end.term, end.by)), Some((told, device(by))));
    }
}
