//! Sessions: who says hello in which incarnation, and who is turned away (rules 1, 20).

use super::Life;
use crate::core::Scheduler;
use crate::effect::Event;
use crate::id::{DeviceId, Incarnation};
use crate::member::Member;
use crate::message::{Hello, Message, PROTOCOL_VERSION};
use crate::session::peer::Credit;
use crate::timers::Timer;
use alloc::boxed::Box;

/// A life so far ahead of one's own is absurd: who believed it would soon have no later ones left.
const LEAP_MAX: u32 = 1 << 20;

impl Scheduler {
    /// A link is up: say who I am.
    pub(crate) fn peer_up(&mut self, device: DeviceId) {
        if device == self.me {
            return;
        }
        let peer = self.peer_mut(device);
        peer.link = true;
        peer.session = false;
        if core::mem::take(&mut self.sync.alone) {
            self.wake();
        } else {
            self.say_hello(device, true);
        }
        self.timers.set(Timer::Beat(device), self.now.mono + self.config.beat);
    }

    pub(crate) fn say_hello(&mut self, to: DeviceId, reply: bool) {
        let (incarnation, members_hash) = (self.inc, self.members.hash());
        let peer = self.peer_mut(to);
        let hello = Hello {
            incarnation,
            protocol: PROTOCOL_VERSION,
            members_hash,
            given_up: peer.given_up,
            known: peer.inc,
            reply,
        };
        self.send(to, Message::Hello(hello));
    }

    /// A peer says who it is.
    pub(crate) fn handle_hello(&mut self, from: DeviceId, hello: Hello) {
        if let Some(given_up) = hello.given_up.filter(|given_up| *given_up >= self.inc) {
            // Of a life that this device does not remember it knows that its disk has forgotten it.
            if given_up.boots - self.inc.boots > LEAP_MAX || given_up.wakes > LEAP_MAX {
                self.counters.dropped += 1;
                return;
            }
            self.inc = given_up;
            self.wake();
        }
        self.learn_member(Member { device: from, version: 0, keeps: true, retired: false, revoked: false });
        if self.members.get(from).is_some_and(|member| member.revoked) {
            return;
        }
        let (now, my_inc) = (self.now.mono, self.inc);
        let peer = self.peer_mut(from);
        peer.link = true;
        if core::mem::take(&mut peer.given_up_unseen) {
            peer.given_up = Some(hello.incarnation);
        }
        if peer.is_confirmed_lost() && peer.inc > Some(hello.incarnation) {
            // Its disk has forgotten the life in which it was known here, and of which nobody hears any more.
            peer.give_up(None);
        }
        if peer.given_up.is_some_and(|given_up| hello.incarnation <= given_up) {
            peer.session = false;
            self.say_hello(from, true);
            self.timers.set(Timer::Beat(from), now + self.config.beat);
            return;
        }
        if peer.inc.is_some_and(|inc| hello.incarnation < inc) {
            self.doubt(from);
            return;
        }
        let reborn = peer.inc != Some(hello.incarnation);
        // A hello that wants an answer begins a session, whatever this side has noticed of the end of the last one.
        let opens = !peer.session || reborn || hello.reply;
        peer.inc = Some(hello.incarnation);
        if hello.reply || hello.known != Some(my_inc) {
            self.say_hello(from, false);
        }
        if hello.members_hash != self.members.hash() {
            self.send_members(from);
        }
        if !opens {
            return;
        }
        let peer = self.peer_mut(from);
        let returns = matches!(peer.life, Life::Lost { .. });
        peer.session = true;
        peer.life = Life::Up;
        peer.heard = now;
        peer.synced = false;
        peer.credit = Credit::default();
        peer.expected = 0;
        self.credits.forget(from);
        self.unsend(from);
        self.view_changed();
        self.send(from, Message::Record(Box::new(self.own.clone())));
        self.tell_graves(from);
        self.beat(from, false);
        self.timers.set(Timer::Silence(from), now + self.config.isolated);
        self.timers.set(Timer::Digest(from), now + self.config.digest_period);
        if reborn {
            self.tell_again(from);
        }
        self.begin_compare(from);
        self.begin_strays(from);
        if returns {
            // It may have acted while this device took it for dead, on what was accepted here, too.
            self.tasks.values_mut().for_each(|entry| entry.accepted_here = false);
            self.begin_sync();
        } else {
            self.sync_found(from);
        }
        self.dirty_open();
        self.notify(Event::PeerHeard { device: from, incarnation: hello.incarnation });
    }

    /// Begins a new incarnation: something may have happened that this device missed (rule 1). What runs for others stops (rule 26).
    pub(crate) fn wake(&mut self) {
        self.take_back_decisions();
        self.inc = Incarnation { boots: self.inc.boots, wakes: self.inc.wakes + 1 };
        self.own.incarnation = self.inc;
        self.own.sequence = 0;
        for entry in self.tasks.values_mut() {
            entry.accepted_here = false;
        }
        let now = self.now.mono;
        let linked: alloc::vec::Vec<_> = self.peers.iter().filter(|(_, peer)| peer.link).map(|(id, _)| *id).collect();
        for device in linked {
            let peer = self.peer_mut(device);
            peer.heard = now;
            peer.credit = Credit::default();
            self.credits.forget(device);
            self.unsend(device);
            self.say_hello(device, true);
        }
        self.stop_after_wake();
        self.begin_sync();
        self.dirty_open();
        self.notify(Event::Woke { incarnation: self.inc });
    }
}
