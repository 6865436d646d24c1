//! Heartbeats: one per pair and second keeps every lease between the two alive (rule 19).

use super::Life;
use crate::core::Scheduler;
use crate::id::DeviceId;
use crate::message::{Beat, Message, Resend};
use crate::time::{Mono, Span};
use crate::timers::Timer;
use alloc::vec::Vec;

/// Beats in a row that tell the same difference before leases are sent again; fewer would take what is under way for lost.
const MISMATCHES: u8 = 3;
/// Up to so many others, everybody beats in the same moment. With more, the air is better used evenly.
const TOGETHER_MAX: usize = 16;

impl Scheduler {
    /// Of a pair the device with the smaller id keeps the time. If that fell to whoever was first, two that begin at the same moment
    /// would both wait longer, and begin at the same moment again.
    fn leads(&self, other: DeviceId) -> bool {
        self.me < other
    }

    /// Sends a beat. The answer to a beat is sent at once, so the pair needs one timer, and the one that answers waits longer.
    pub(crate) fn beat(&mut self, to: DeviceId, reply: bool) {
        if !self.peers.get(&to).is_some_and(|peer| peer.session) {
            return;
        }
        // What is due once a beat is done here, for of the two only one side's timer ever comes.
        self.send_live(to);
        if self.timers.at(Timer::Digest(to)).is_some_and(|due| due <= self.now.mono + self.config.beat) {
            self.digest_due(to);
        }
        self.check_frames(to);
        self.give_back_overdue(to);
        let (held, held_hash) = self.held_of(to);
        let (now, incarnation) = (self.now.mono, self.inc);
        let synced = self.sync.done && !self.has_old_runs();
        let guard = self.is_able();
        let take = guard && !self.is_blocked();
        let peer = self.peer_mut(to);
        // A beat must not overtake the facts that say what became of the leases of an earlier life.
        let synced = synced && peer.outbox.is_empty() && peer.comparing.is_none();
        let number = peer.next_beat(now);
        let echo = peer.their_beat;
        self.send(to, Message::Beat(Beat { incarnation, number, echo, reply, guard, take, synced, held, held_hash }));
        let beat = self.config.beat;
        let wait = if self.leads(to) { beat } else { Span(beat.0 + beat.0 / 4) };
        self.timers.set(Timer::Beat(to), now + wait);
    }

    /// Tells everybody at once what a beat says of this device.
    pub(crate) fn beat_all(&mut self) {
        let up: Vec<_> = self.peers.iter().filter(|(_, peer)| peer.is_up()).map(|(id, _)| *id).collect();
        up.into_iter().for_each(|device| self.beat(device, false));
    }

    /// A peer's beat.
    pub(crate) fn handle_beat(&mut self, from: DeviceId, beat: Beat) {
        let now = self.now.mono;
        let counted = self.counted_at(from);
        let peer = self.peer_mut(from);
        if !peer.session || peer.inc != Some(beat.incarnation) {
            self.counters.dropped += 1;
            return;
        }
        peer.their_beat = beat.number;
        if let Some(sent) = peer.beat_sent(beat.echo)
            && sent >= peer.heard
        {
            peer.heard = sent;
            if beat.reply {
                peer.sample_rtt(now.since(sent));
            }
        }
        let heard = peer.heard;
        let changed = (peer.guard, peer.take, peer.synced) != (beat.guard, beat.take, beat.synced);
        (peer.guard, peer.take, peer.synced) = (beat.guard, beat.take, beat.synced);
        let told = (beat.held, beat.held_hash);
        let times = match peer.mismatch {
            _ if told == counted => 0,
            (a, b, times) if (a, b) == (told, counted) => times + 1,
            _ => 1,
        };
        peer.mismatch = (told, counted, times % MISMATCHES);
        self.timers.set(Timer::Silence(from), heard + self.config.isolated);
        if times == MISMATCHES {
            self.resend(from);
            self.send(from, Message::Resend(Resend));
        }
        if changed {
            self.view_changed();
            self.dirty_open();
        }
        if !beat.reply {
            self.beat(from, true);
            self.keep_time_with(from);
        }
    }

    /// Beats that are due within a quarter of the period go with one that is due now, and from then on all together: a device that
    /// sleeps between beats wakes once for those that it leads. None is late by this.
    fn join_in(&mut self) {
        let soon = self.now.mono + Span(self.config.beat.0 / 4);
        for (device, _) in self.led().into_iter().filter(|(_, due)| *due <= soon) {
            self.beat(device, false);
        }
    }

    /// Those that this device leads and is in session with, and when it beats to them.
    fn led(&self) -> Vec<(DeviceId, Mono)> {
        let led = self.peers.iter().filter(|(device, peer)| peer.session && self.leads(**device));
        led.filter_map(|(device, _)| Some((*device, self.timers.at(Timer::Beat(*device))?))).collect()
    }

    /// A beat of the peer with the smallest id of all that this device hears: what it leads itself beats in the same moment, so that
    /// a device wakes once for everybody. What is far from that moment comes closer to it by a quarter of the period each time, always
    /// early; and once it is there, it waits a sixteenth longer for it than its own time, or the two would take turns in being first.
    fn keep_time_with(&mut self, from: DeviceId) {
        let others = || self.peers.iter().filter(|(_, peer)| peer.session).map(|(device, _)| *device);
        if self.leads(from) || others().next() != Some(from) || others().count() > TOGETHER_MAX {
            return;
        }
        let (now, beat) = (self.now.mono, self.config.beat.0);
        let (quarter, slack) = (Span(beat / 4), Span(beat / 16));
        for (device, due) in self.led() {
            if due <= now + quarter {
                self.beat(device, false);
                self.timers.set(Timer::Beat(device), now + Span(beat) + slack);
            } else if due <= now + Span(beat - quarter.0) {
                self.timers.set(Timer::Beat(device), Mono(due.0 - quarter.0));
            } else if due <= now + Span(beat) {
                self.timers.set(Timer::Beat(device), due + slack);
            }
        }
    }

    /// It is time to beat.
    pub(crate) fn beat_due(&mut self, to: DeviceId) {
        match self.peers.get(&to) {
            Some(peer) if peer.session => {
                self.beat(to, false);
                self.join_in();
            }
            Some(peer) if peer.link => {
                // The hello was lost, or its answer.
                self.say_hello(to, true);
                self.timers.set(Timer::Beat(to), self.now.mono + self.config.beat);
            }
            _ => {}
        }
    }

    /// Nobody has echoed for a while: others may be about to give this device up, and must not find its attempts still running
    /// when they start them again (rule 27).
    pub(crate) fn check_isolation(&mut self) {
        let (now, limit) = (self.now.mono, self.config.isolated);
        let mut up = self.peers.values().filter(|peer| matches!(peer.life, Life::Up)).peekable();
        if up.peek().is_some() && up.all(|peer| now.since(peer.heard) >= limit) {
            self.stop_isolated();
        }
    }
}
