//! Whether this device acts on a task, and what it should do next: a function of the facts and of whom this device hears
//! (rules 22 to 25).

use crate::core::Scheduler;
use crate::entry::Entry;
use crate::holder::Phase;
use crate::id::{DeviceId, TaskId, Term};
use crate::keeper::rendezvous;
use crate::record::{Close, Closed, DepDone, Fact, Leased, Outcome, State, Verdict};
use crate::session::Life;
use crate::task::ErrorClass;
use crate::time::{Mono, Span};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

/// The next step of a guardian.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Duty {
    /// It is somebody else's, or there is nothing to do before something happens.
    Nothing,
    /// Look again then.
    Wait(Mono),
    /// Find out how those that it waits for end.
    Await,
    /// Write down that some of those have completed.
    Note(Vec<DepDone>),
    /// Find a device for it.
    Lease,
    /// Find a device for a copy beside the attempt that runs (rule 28c); look again then, if none is found.
    Copy {
        /// Since when it takes too long.
        since: Mono,
        /// When the attempt itself is to be looked at.
        until: Mono,
    },
    /// Decide.
    Settle(Verdict),
    /// Say that the decision may be told.
    MarkStable {
        /// Of the decision.
        round: u32,
        /// Of the decision.
        term: Term,
        /// On how many it is.
        disks: u32,
    },
}

/// Pause before a lease that ended without the task's fault is followed by another, times the number of such ends.
const LOSS_PAUSE: Span = Span::from_ms(250);
/// So many such ends cost no pause.
const LOSSES_FREE: u32 = 2;

/// How an attempt stands: its lease, and the copy beside that, if there is one.
enum End {
    /// There is no lease.
    NoLease,
    /// Nobody has it any more: all holders have let go, or have lost it.
    Over,
    /// A holder has it; look again then.
    Open(Mono),
}

impl Scheduler {
    /// Whether a device can act as a guardian, as this one sees it.
    fn is_willing(&self, device: DeviceId) -> bool {
        if device == self.me {
            return self.is_able();
        }
        // Who has not been heard yet may be acting: that is found out within the patience.
        self.peers.get(&device).is_some_and(|peer| (peer.is_live() || peer.life == Life::Unknown) && peer.guard)
    }

    /// Who acts on a task (rule 22).
    pub(crate) fn guardian_of(&self, task: TaskId, entry: &Entry, state: &State<'_>) -> Option<DeviceId> {
        if let Some(lease) = state.lease
            && self.is_willing(lease.by)
        {
            return Some(lease.by);
        }
        // A keyed task may be accepted at two devices at once, and neither can know: its home decides who begins.
        if entry.spec.idempotency_key.is_some()
            && let Some(first) = entry.home.1.iter().find(|device| self.is_willing(**device))
        {
            return Some(*first);
        }
        if let Some(acceptor) = entry.acceptors().filter(|by| self.is_willing(*by)).min() {
            return Some(acceptor);
        }
        let here = entry.durable & entry.submitted_slots() != 0;
        // Who is about to have it acts as soon as it has, and may not be able to say so for as long as its disk takes.
        let holders = entry.copies.iter().filter(|copy| copy.has || copy.coming).map(|copy| copy.device);
        holders
            .chain(here.then_some(self.me))
            .filter(|device| self.is_willing(*device))
            .max_by_key(|device| rendezvous(*device, task))
    }

    /// Nobody else is there to store anything of a task: no keeper, and nobody else that it is pushed to.
    fn is_alone(&self, task: TaskId, entry: &Entry) -> bool {
        let gone = |device| {
            device == self.me
                || self.members.get(device).is_some_and(|member| member.retired || member.revoked)
                || self.peers.get(&device).is_none_or(|peer| peer.is_confirmed_lost())
        };
        self.members.keepers().chain(self.push_targets(task, entry)).all(gone)
    }

    /// Who has it, or should, is heard only by others: what it knows of it comes through them.
    fn is_kept_out_of_hearing(&self, entry: &Entry) -> bool {
        let copies = entry.copies.iter().filter(|copy| copy.has).map(|copy| copy.device);
        let mut keepers = entry.home.1.iter().copied().chain(copies).chain(entry.acceptors());
        keepers.any(|device| self.relay_to(device).is_some())
    }

    /// What this device should do about a task.
    pub(crate) fn duty(&self, task: TaskId, entry: &Entry) -> Duty {
        let state = entry.record.resolve();
        if state.stable.is_some() {
            return Duty::Nothing;
        }
        if let Some(settled) = state.settled
            && settled.by == self.me
            && settled.by_inc == self.inc
            && state.is_complete()
        {
            return self.stability(task, entry, &state);
        }
        if self.guardian_of(task, entry, &state) != Some(self.me) || !(self.sync.done || entry.accepted_here) {
            return Duty::Nothing;
        }
        let relayed = self.sync.heard_of + self.config.beat;
        if self.now.mono < relayed && !entry.accepted_here && self.is_kept_out_of_hearing(entry) {
            return Duty::Wait(relayed);
        }
        if let Some(settled) = state.settled
            && state.is_complete()
        {
            // Somebody else's decision, or mine of an earlier life, which nobody has told yet: make it mine.
            return if self.sync.done { Duty::Settle(settled.verdict.clone()) } else { Duty::Nothing };
        }
        if let Some((epoch, _)) = state.good {
            return Duty::Settle(Verdict::Result(epoch));
        }
        let end = self.attempt_end(task, entry, &state);
        if state.cancel_asked {
            return match end {
                End::Open(at) => Duty::Wait(at),
                End::NoLease | End::Over => Duty::Settle(Verdict::Cancelled),
            };
        }
        if matches!(end, End::NoLease)
            && let Some(duty) = self.dependencies(entry)
        {
            return duty;
        }
        match (end, state.lease) {
            (End::NoLease, _) | (_, None) => self.first_lease(entry),
            (End::Open(at), Some(lease)) => self.straggler(task, entry, &state, lease, at),
            (End::Over, Some(lease)) => match (state.failure(), state.closed) {
                (Some((closed, outcome)), _) => self.after_failure(task, entry, lease, closed, outcome),
                (None, Some(closed)) => self.after_release(entry, lease, closed),
                // Somebody who is lost here may grant leases yet, and learn of these by the same ways: that must not go round and round.
                (None, None) => self.after_loss(entry, lease, (lease.by != self.me).then_some(entry.lease_seen.1)),
            },
        }
    }

    /// The lease and the copy beside it are one attempt, which is over when both are.
    fn attempt_end(&self, task: TaskId, entry: &Entry, state: &State<'_>) -> End {
        let Some(lease) = state.lease else { return End::NoLease };
        let end = self.lease_end(task, entry, lease, state.closed, entry.lease_seen.1);
        let Some(copy) = state.copy else { return end };
        match (end, self.lease_end(task, entry, copy, state.copy_closed, entry.copy_seen.1)) {
            (End::Open(one), End::Open(other)) => End::Open(one.min(other)),
            (End::Open(at), _) | (_, End::Open(at)) => End::Open(at),
            _ => End::Over,
        }
    }

    /// A beat's pause before the first lease, where another device may be about to write it. Who begins a keyed task follows from the
    /// members alone, so whoever has just learned of one, or that one lives who is not heard here, waits until the others have, too.
    /// And an heir that has just been given a record waits to hear who else has: of those that got it at the same moment, only one is
    /// the first. Nor does anybody act at once on what another guardian has noted of dependencies: that one may do so, too.
    fn first_lease(&self, entry: &Entry) -> Duty {
        let noted = |fact: &Fact| matches!(fact, Fact::DepDone(done) if done.by != self.me);
        let noted = if entry.record.facts().any(noted) { entry.changed } else { Mono(0) };
        let due = self.undisputed_since(entry).max(noted);
        let due = if due == Mono(0) { due } else { due + self.config.beat };
        if self.now.mono < due { Duty::Wait(due) } else { Duty::Lease }
    }

    /// Since when nobody else can be about to write the first lease, but for a beat; zero if nobody ever could.
    fn undisputed_since(&self, entry: &Entry) -> Mono {
        if entry.spec.idempotency_key.is_some() {
            match self.members.present().nth(1) {
                Some(_) => self.members_changed.max(self.sync.heard_of),
                None => Mono(0),
            }
        } else if entry.acceptors().any(|by| by == self.me) {
            Mono(0)
        } else {
            entry.since
        }
    }

    fn stability(&self, task: TaskId, entry: &Entry, state: &State<'_>) -> Duty {
        let Some(settled) = state.settled else { return Duty::Nothing };
        let needed = entry.settlement_slots(settled);
        if entry.durable & needed != needed {
            return Duty::Nothing;
        }
        let copies = entry.copies.iter().filter(|copy| copy.stored & needed == needed).count();
        if copies == 0 && !self.is_alone(task, entry) {
            return Duty::Nothing;
        }
        Duty::MarkStable { round: settled.round, term: settled.term, disks: 1 + copies as u32 }
    }

    fn after_loss(&self, entry: &Entry, lease: &Leased, since: Option<Mono>) -> Duty {
        if let Some(crashes) = self.crashed_too_often(&entry.spec, &entry.record) {
            let limit = entry.spec.retry.crash_limit;
            let message = format!("{crashes} times its device crashed or was killed with it (crash_limit {limit})");
            return Duty::Settle(Verdict::Failed { class: ErrorClass::DeviceLost, message, epoch: None });
        }
        if lease.losses >= self.config.releases_max {
            let message = "no device kept it long enough to run it".to_string();
            return Duty::Settle(Verdict::Failed { class: ErrorClass::DeviceLost, message, epoch: None });
        }
        let pause = Span(LOSS_PAUSE.0 * u64::from(lease.losses.saturating_sub(LOSSES_FREE)));
        match since {
            Some(since) if self.now.mono < since + pause => Duty::Wait(since + pause),
            _ => Duty::Lease,
        }
    }

    fn after_release(&self, entry: &Entry, lease: &Leased, closed: &Closed) -> Duty {
        match &closed.close {
            Close::Released(why) if why.is_free() => Duty::Lease,
            _ => self.after_loss(entry, lease, Some(entry.ended_seen())),
        }
    }

    fn after_failure(&self, task: TaskId, entry: &Entry, lease: &Leased, closed: &Closed, outcome: &Outcome) -> Duty {
        let Some((class, message)) = &outcome.error else { return Duty::Nothing };
        let retry = &entry.spec.retry;
        if !retry.retries(*class) || lease.attempt > retry.max_retries {
            return Duty::Settle(match class {
                ErrorClass::Timeout => Verdict::Timeout(closed.epoch),
                class => Verdict::Failed { class: *class, message: message.clone(), epoch: Some(closed.epoch) },
            });
        }
        let due = entry.ended_seen() + retry.delay(task, lease.attempt);
        if self.now.mono < due { Duty::Wait(due) } else { Duty::Lease }
    }

    fn lease_end(&self, task: TaskId, entry: &Entry, lease: &Leased, closed: Option<&Closed>, seen: Mono) -> End {
        if closed.is_some() {
            return End::Over;
        }
        let now = self.now.mono;
        let overrun = seen + entry.spec.timeout + self.config.overrun;
        let over = if lease.to == self.me {
            match self.holder.runs.get(task) {
                // What waits or is being stopped here cannot be lost; what runs too long can.
                Some(run) if run.phase != Phase::Running => return End::Open(now + self.config.overrun),
                Some(run) => run.started + entry.spec.timeout + self.config.overrun,
                None if lease.to_inc == self.inc || !self.sync.done => overrun,
                None => now,
            }
        } else {
            match self.peers.get(&lease.to) {
                // Its membership has not arrived here yet.
                None => overrun.min(seen + self.config.silent_holder_max),
                Some(peer) if peer.is_up() && peer.synced && peer.inc > Some(lease.to_inc) => now,
                Some(peer) => match peer.life {
                    // The proof is about the life that was known; a lease to a later one waits for silence.
                    Life::Lost { confirmed: true, proven: true } if Some(lease.to_inc) <= peer.inc => now,
                    Life::Lost { confirmed: true, .. } => {
                        let patience = Span(now.since(seen).0 / 4).min(self.config.silent_holder_max);
                        overrun.min(peer.heard + patience.max(self.config.dead))
                    }
                    _ => overrun,
                },
            }
        };
        if now >= over { End::Over } else { End::Open(over) }
    }
}
