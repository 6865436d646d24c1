//! What the facts mean. Reads facts only: never who is alive, never a clock.

use super::{Close, Closed, Fact, Leased, Outcome, Record, Settled, Stable, Submitted, Verdict};
use crate::id::{DeviceId, Epoch};
use crate::task::{ErrorClass, Status};

/// Where a task stands, by its facts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct State<'a> {
    /// How often it was begun again after it had ended.
    pub round: u32,
    /// The highest lease of all rounds: the next one has to be above it.
    pub fence: Option<&'a Leased>,
    /// The highest lease of the rounds before; zero if there was none.
    pub floor: Epoch,
    /// What was asked; of two acceptors the one with the smaller id.
    pub submitted: Option<&'a Submitted>,
    /// The highest lease of this round that is no copy.
    pub lease: Option<&'a Leased>,
    /// The holder's end of it.
    pub closed: Option<&'a Closed>,
    /// The lease of a copy beside that one; the highest, if there are several. A copy beside any other lease counts for nothing.
    pub copy: Option<&'a Leased>,
    /// The holder's end of the copy.
    pub copy_closed: Option<&'a Closed>,
    /// The good outcome that counts: the one of the lowest lease.
    pub good: Option<(Epoch, &'a Outcome)>,
    /// The decision of this round, if there is one: a stable one before others, then that of the highest term.
    pub settled: Option<&'a Settled>,
    /// That the decision may be reported.
    pub stable: Option<&'a Stable>,
    /// The outcome that the decision names.
    pub outcome: Option<&'a Outcome>,
    /// Somebody asked that the task not run.
    pub cancel_asked: bool,
}

/// The slots of the facts that a [`State`] is made of. A record is asked where it stands far more often than it changes, so this is
/// found out when it changes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bearings {
    round: u32,
    floor: Epoch,
    fence: Option<u8>,
    submitted: Option<u8>,
    lease: Option<u8>,
    closed: Option<u8>,
    copy: Option<u8>,
    copy_closed: Option<u8>,
    good: Option<u8>,
    settled: Option<u8>,
    stable: Option<u8>,
    outcome: Option<u8>,
    cancel_asked: bool,
}

impl Record {
    /// Where the task stands; rules 10 to 12.
    #[must_use]
    pub fn resolve(&self) -> State<'_> {
        let found = &self.bearings;
        let at = |slot: Option<u8>| slot.and_then(|slot| self.get(slot.into()));
        let finished = |slot| match at(slot) {
            Some(Fact::Closed(Closed { epoch, close: Close::Finished(outcome), .. })) => Some((*epoch, outcome)),
            _ => None,
        };
        State {
            round: found.round,
            floor: found.floor,
            fence: if let Some(Fact::Leased(f)) = at(found.fence) { Some(f) } else { None },
            submitted: if let Some(Fact::Submitted(f)) = at(found.submitted) { Some(f) } else { None },
            lease: if let Some(Fact::Leased(f)) = at(found.lease) { Some(f) } else { None },
            closed: if let Some(Fact::Closed(f)) = at(found.closed) { Some(f) } else { None },
            copy: if let Some(Fact::Leased(f)) = at(found.copy) { Some(f) } else { None },
            copy_closed: if let Some(Fact::Closed(f)) = at(found.copy_closed) { Some(f) } else { None },
            good: finished(found.good),
            settled: if let Some(Fact::Settled(f)) = at(found.settled) { Some(f) } else { None },
            stable: if let Some(Fact::Stable(f)) = at(found.stable) { Some(f) } else { None },
            outcome: finished(found.outcome).map(|(_, outcome)| outcome),
            cancel_asked: found.cancel_asked,
        }
    }

    /// Finds out where the task stands now; to be called whenever the facts have changed.
    pub(super) fn take_bearings(&mut self) {
        fn is<T>(found: Option<&T>, this: &T) -> bool {
            found.is_some_and(|found| core::ptr::eq(found, this))
        }
        let state = self.look();
        let mut found = Bearings {
            round: state.round,
            floor: state.floor,
            cancel_asked: state.cancel_asked,
            ..Bearings::default()
        };
        for (slot, fact) in self.slots() {
            let slot = Some(slot as u8);
            match fact {
                Fact::Submitted(f) if is(state.submitted, f) => found.submitted = slot,
                Fact::Leased(f) => {
                    if is(state.lease, f) {
                        found.lease = slot;
                    }
                    if is(state.fence, f) {
                        found.fence = slot;
                    }
                    if is(state.copy, f) {
                        found.copy = slot;
                    }
                }
                Fact::Settled(f) if is(state.settled, f) => found.settled = slot,
                Fact::Stable(f) if is(state.stable, f) => found.stable = slot,
                Fact::Closed(f) => {
                    if is(state.closed, f) {
                        found.closed = slot;
                    }
                    if is(state.copy_closed, f) {
                        found.copy_closed = slot;
                    }
                    if let Close::Finished(outcome) = &f.close {
                        if is(state.good.map(|(_, good)| good), outcome) {
                            found.good = slot;
                        }
                        if is(state.outcome, outcome) {
                            found.outcome = slot;
                        }
                    }
                }
                _ => {}
            }
        }
        self.bearings = found;
    }

    /// Resolves the facts.
    fn look(&self) -> State<'_> {
        let mut state = State {
            round: 0,
            floor: Epoch(0),
            fence: None,
            submitted: None,
            lease: None,
            closed: None,
            copy: None,
            copy_closed: None,
            good: None,
            settled: None,
            stable: None,
            outcome: None,
            cancel_asked: false,
        };
        for fact in self.facts() {
            match fact {
                Fact::Submitted(f) if state.submitted.is_none_or(|best| f.by < best.by) => state.submitted = Some(f),
                Fact::Leased(f) if state.fence.is_none_or(|best| f.epoch > best.epoch) => state.fence = Some(f),
                Fact::Reopened(f) => {
                    state.round = state.round.max(f.round);
                    state.floor = state.floor.max(f.epoch);
                }
                _ => {}
            }
        }
        let leases = || self.facts().filter_map(|fact| if let Fact::Leased(lease) = fact { Some(lease) } else { None });
        let firsts = leases().filter(|lease| lease.epoch > state.floor && lease.beside.is_none());
        state.lease = firsts.max_by_key(|lease| lease.epoch);
        state.copy = state.lease.and_then(|first| {
            let beside = leases().filter(|lease| lease.beside == Some(first.epoch) && lease.epoch > first.epoch);
            beside.max_by_key(|lease| lease.epoch)
        });
        let mut good: Option<&Closed> = None;
        for fact in self.facts() {
            match fact {
                Fact::Closed(f) => {
                    let ends = |l: &Leased| l.epoch == f.epoch && l.to == f.by && l.to_inc == f.by_inc;
                    if state.lease.is_some_and(ends) {
                        state.closed = Some(f);
                    } else if state.copy.is_some_and(ends) {
                        state.copy_closed = Some(f);
                    }
                    if let Close::Finished(outcome) = &f.close
                        && outcome.is_ok()
                        && good.is_none_or(|best| (f.epoch, f.by, f.by_inc) < (best.epoch, best.by, best.by_inc))
                    {
                        good = Some(f);
                        state.good = Some((f.epoch, outcome));
                    }
                }
                Fact::CancelAsked(f) if f.round == state.round => state.cancel_asked = true,
                Fact::Settled(f) if f.round == state.round => {
                    // What is stable may have been told; what is not has been told to nobody, and gives way.
                    let stable = self.stable(f);
                    let wins = |best: &Settled| match (stable.is_some(), state.stable.is_some()) {
                        (mine, theirs) if mine != theirs => mine,
                        _ => f.beats(best),
                    };
                    if state.settled.is_none_or(wins) {
                        (state.settled, state.stable) = (Some(f), stable);
                    }
                }
                _ => {}
            }
        }
        state.outcome = state.settled.and_then(|settled| settled.verdict.epoch()).and_then(|epoch| self.outcome(epoch));
        state
    }

    /// It was marked stable, and may have been told.
    pub(super) fn is_marked(&self, settled: &Settled) -> bool {
        self.stable(settled).is_some()
    }

    fn stable(&self, settled: &Settled) -> Option<&Stable> {
        self.facts().find_map(|fact| match fact {
            Fact::Stable(f) if f.round == settled.round && f.term == settled.term && f.by == settled.by => Some(f),
            _ => None,
        })
    }

    /// The outcome of a lease, if it ran to an end. Only where two hosts have one key is there more than one: then a good one, and of
    /// several that of the smallest id.
    #[must_use]
    pub fn outcome(&self, epoch: Epoch) -> Option<&Outcome> {
        let ends = self.facts().filter_map(|fact| match fact {
            Fact::Closed(Closed { epoch: of, by, by_inc, close: Close::Finished(outcome) }) if *of == epoch => {
                Some((!outcome.is_ok(), *by, *by_inc, outcome))
            }
            _ => None,
        });
        ends.min_by_key(|(bad, by, inc, _)| (*bad, *by, *inc)).map(|(.., outcome)| outcome)
    }
}

impl<'a> State<'a> {
    /// The decision is known, with the outcome it names, and may be reported.
    #[must_use]
    pub fn is_reportable(&self) -> bool {
        self.stable.is_some() && self.is_complete()
    }

    /// The decision is known, with the outcome it names.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.settled.is_some_and(|settled| settled.verdict.epoch().is_none() || self.outcome.is_some())
    }

    /// The lease that this device may run: the current one, or the copy beside it, if its holder has not let go of it.
    #[must_use]
    pub fn lease_to(&self, device: DeviceId) -> Option<&'a Leased> {
        let first = self.lease.filter(|lease| lease.to == device && self.closed.is_none());
        first.or_else(|| self.copy.filter(|copy| copy.to == device && self.copy_closed.is_none()))
    }

    /// The bad end that counts for the attempt once neither its lease nor the copy goes on: that of the lease, else that of the copy.
    /// However many of them failed, the attempt failed once.
    #[must_use]
    pub fn failure(&self) -> Option<(&'a Closed, &'a Outcome)> {
        [self.closed, self.copy_closed].into_iter().flatten().find_map(|closed| match &closed.close {
            Close::Finished(outcome) if !outcome.is_ok() => Some((closed, outcome)),
            _ => None,
        })
    }

    /// The word for where the task stands. Facts do not say whether a leased task has started: `Assigned` covers both.
    #[must_use]
    pub fn status(&self) -> Status {
        if let Some(settled) = self.settled
            && self.is_reportable()
        {
            return settled.verdict.status();
        }
        let is_good = |closed: &Closed| matches!(&closed.close, Close::Finished(outcome) if outcome.is_ok());
        match self.lease {
            _ if self.cancel_asked => Status::Cancelling,
            None => Status::Pending,
            Some(_) if self.closed.is_some_and(is_good) || self.copy_closed.is_some_and(is_good) => Status::Running,
            Some(_) if self.closed.is_none() => Status::Assigned,
            // The copy goes on as the attempt.
            Some(_) if self.copy.is_some() && self.copy_closed.is_none() => Status::Assigned,
            Some(_) if self.failure().is_some() => Status::Retrying,
            Some(_) => Status::Queued,
        }
    }
}

impl Settled {
    /// Whether this decision wins over `other` of the same round.
    #[must_use]
    pub fn beats(&self, other: &Self) -> bool {
        (self.term, self.by, self.by_inc) > (other.term, other.by, other.by_inc)
    }
}

impl Verdict {
    /// The lease whose outcome belongs to it.
    #[must_use]
    pub const fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Result(epoch) | Self::Timeout(epoch) => Some(*epoch),
            Self::Failed { epoch, .. } => *epoch,
            Self::Cancelled => None,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Result(_) => Status::Completed,
            Self::Failed { .. } => Status::Failed,
            Self::Cancelled => Status::Cancelled,
            Self::Timeout(_) => Status::Timeout,
        }
    }

    /// The class of the error, if it is one.
    #[must_use]
    pub const fn error(&self) -> Option<ErrorClass> {
        match self {
            Self::Failed { class, .. } => Some(*class),
            Self::Timeout(_) => Some(ErrorClass::Timeout),
            Self::Result(_) | Self::Cancelled => None,
        }
    }
}
