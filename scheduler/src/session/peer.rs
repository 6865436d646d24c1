//! What this device knows of another one.

use super::twins::Doubts;
use crate::disk::Placed;
use crate::id::{DeviceId, Incarnation, TaskId, Term};
use crate::time::{Mono, Span};
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

/// Whether a peer lives, as this device sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    /// Not heard since this device started, and not given up.
    Unknown,
    /// In session.
    Up,
    /// Given up. `confirmed` once everybody who could know better has been asked.
    Lost {
        /// Its host refused a connection: the process is gone.
        proven: bool,
        /// No reachable keeper hears it.
        confirmed: bool,
    },
    /// Not heard here, but this other device hears it and passes facts on.
    Vetoed {
        /// Who hears it.
        by: DeviceId,
        /// The host of the incarnation that was known then has refused a connection: if nobody hears it in the end, that is proof.
        proven: bool,
    },
}

/// A frame that is not acknowledged yet.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Its number.
    pub(crate) number: u64,
    /// When it was sent.
    pub(crate) sent: Mono,
    /// The facts in it.
    pub(crate) facts: Vec<Placed>,
}

/// A frame to be acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToAck {
    /// When the write of this number is safe,
    pub(crate) horizon: u64,
    /// and, unless it is zero, what came up to this ticket has been merged into the records that it belongs to.
    pub(crate) ticket: u64,
    /// Its number.
    pub(crate) number: u64,
}

/// How many beats' sending times are remembered.
const BEATS: usize = 16;

/// Another device.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// The transport has a link.
    pub(crate) link: bool,
    /// It has said hello on this link and was not turned away.
    pub(crate) session: bool,
    /// The incarnation of its last hello.
    pub(crate) inc: Option<Incarnation>,
    /// Its incarnations up to this one were given up or fenced; only a later one is let in.
    pub(crate) given_up: Option<Incarnation>,
    /// It was given up before it ever said who it is; its first hello is turned away.
    pub(crate) given_up_unseen: bool,
    /// Whether it lives.
    pub(crate) life: Life,
    /// When a beat of mine was sent whose echo has arrived: then both directions worked.
    pub(crate) heard: Mono,
    /// Smoothed round trip of answered beats.
    pub(crate) rtt: Option<Span>,
    /// The number of its last beat.
    pub(crate) their_beat: u64,
    beat: u64,
    beat_sent: [Mono; BEATS],
    /// It is willing and able to be a guardian.
    pub(crate) guard: bool,
    /// It takes leases.
    pub(crate) take: bool,
    /// It has asked every keeper since its last start, wake or loss.
    pub(crate) synced: bool,
    /// The highest term it is known to have taken.
    pub(crate) term: Term,
    /// What it said, and what I counted, of the leases it holds of me, when they last differed; and how often running.
    pub(crate) mismatch: ((u32, u64), (u32, u64), u8),
    /// Tasks with facts that it has not stored.
    pub(crate) outbox: BTreeSet<TaskId>,
    /// Tasks of which it lacks only what others send it, too.
    pub(crate) gathered: BTreeSet<TaskId>,
    /// Tasks of which it lacks only what can wait for the next frame.
    pub(crate) later: BTreeSet<TaskId>,
    /// Smoothed time from a frame to its acknowledgement: a round trip and a disk.
    stores_in: Span,
    /// Frames on their way.
    pub(crate) frames: VecDeque<Frame>,
    /// The number of the next frame.
    pub(crate) next_frame: u64,
    /// The number of its next frame, if none is missing.
    pub(crate) expected: u64,
    /// The missing frame that it was last asked for.
    pub(crate) asked_for: u64,
    /// Frames of it, to be acknowledged.
    pub(crate) to_ack: VecDeque<ToAck>,
    /// What it lets me lease to it.
    pub(crate) credit: Credit,
    /// Old records are being compared, until then at the latest; they are not sent meanwhile.
    pub(crate) comparing: Option<Mono>,
    /// Lists sent to it that it has not looked at yet.
    pub(crate) summaries: u32,
    /// Where the next lists begin.
    pub(crate) summary_from: TaskId,
    /// Its life, by boots, that was told of the strays kept here.
    pub(crate) strays_told: Option<u32>,
    /// Whether it is one host at all.
    pub(crate) doubts: Doubts,
    /// Where the list of strays goes on that it is told of; `None` if it was told of all.
    pub(crate) strays_from: Option<TaskId>,
}

/// A peer's permission to lease to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Credit {
    /// My open leases there may be this many.
    pub(crate) limit: u32,
    /// Until then.
    pub(crate) until: Mono,
    /// When it was last asked, if it has not answered since.
    pub(crate) asked: Option<Mono>,
    /// It answered that it is full; it remembers who asked until then.
    pub(crate) denied_until: Mono,
}

impl Peer {
    /// A device that is known by name only.
    pub(crate) fn new(now: Mono, first_frame: u64) -> Self {
        Self {
            link: false,
            session: false,
            inc: None,
            doubts: Doubts::default(),
            given_up: None,
            given_up_unseen: false,
            life: Life::Unknown,
            heard: now,
            rtt: None,
            their_beat: 0,
            beat: 0,
            beat_sent: [Mono(0); BEATS],
            guard: true,
            take: true,
            synced: false,
            term: 0,
            mismatch: ((0, 0), (0, 0), 0),
            outbox: BTreeSet::new(),
            gathered: BTreeSet::new(),
            later: BTreeSet::new(),
            stores_in: Span(0),
            frames: VecDeque::new(),
            next_frame: first_frame,
            expected: 0,
            asked_for: 0,
            to_ack: VecDeque::new(),
            credit: Credit::default(),
            comparing: None,
            summaries: 0,
            summary_from: TaskId::default(),
            strays_told: None,
            strays_from: None,
        }
    }

    /// Alive, directly or by hearsay.
    pub(crate) const fn is_live(&self) -> bool {
        matches!(self.life, Life::Up | Life::Vetoed { .. })
    }

    /// In session, now.
    pub(crate) const fn is_up(&self) -> bool {
        self.session && matches!(self.life, Life::Up)
    }

    /// Given up for good reason: everybody reachable agrees.
    pub(crate) const fn is_confirmed_lost(&self) -> bool {
        matches!(self.life, Life::Lost { confirmed: true, .. })
    }

    /// From now on only a later incarnation is let in than the one that is known, or that somebody names.
    pub(crate) fn give_up(&mut self, named: Option<Incarnation>) {
        // What somebody names counts only as far as this device knows that it exists.
        let named = named.filter(|named| self.inc.is_some_and(|inc| named.boots <= inc.boots));
        self.given_up = self.given_up.max(self.inc).max(named);
        self.given_up_unseen = self.given_up.is_none();
    }

    /// Numbers the next beat and remembers when it was sent.
    pub(crate) fn next_beat(&mut self, now: Mono) -> u64 {
        self.beat += 1;
        self.beat_sent[(self.beat % BEATS as u64) as usize] = now;
        self.beat
    }

    /// When the beat with this number was sent, if it was and is remembered.
    pub(crate) fn beat_sent(&self, number: u64) -> Option<Mono> {
        let remembered = number > 0 && number <= self.beat && self.beat - number < BEATS as u64;
        remembered.then(|| self.beat_sent[(number % BEATS as u64) as usize])
    }

    /// Counts a round trip: an eighth of the new one, as TCP does.
    pub(crate) fn sample_rtt(&mut self, sample: Span) {
        self.rtt = Some(self.rtt.map_or(sample, |old| Span((old.0 * 7 + sample.0) / 8)));
    }

    /// A frame was acknowledged after so long.
    pub(crate) fn sample_store(&mut self, sample: Span) {
        self.stores_in = Span((self.stores_in.0 * 7 + sample.0) / 8);
    }

    /// How slowly it stores what it is sent; counts doublings, so that devices of about the same speed share the work. Who is silent
    /// becomes slow.
    pub(crate) fn slowness(&self, now: Mono) -> u32 {
        let waits = self.frames.front().map_or(0, |oldest| now.since(oldest.sent).0);
        self.stores_in.0.max(waits).checked_ilog2().unwrap_or(0)
    }

    /// Something waits for the moment in which it is sent to it.
    pub(crate) fn is_gathering(&self) -> bool {
        !(self.gathered.is_empty() && self.later.is_empty())
    }

    /// How many open leases it allows me now.
    pub(crate) fn lease_limit(&self, now: Mono) -> u32 {
        if now < self.credit.until { self.credit.limit } else { 0 }
    }
}
