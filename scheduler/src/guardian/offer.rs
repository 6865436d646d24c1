//! The devices that are known, as candidates for a task: what they told of themselves, whether they are heard, and whether they have
//! room for one more lease of this device's.

use super::place::{ASK_AGAIN, ASK_PATIENCE};
use crate::core::Scheduler;
use crate::entry::Entry;
use crate::id::{DeviceId, Incarnation, TaskId};
use crate::placement::{Candidate, Unmet, fits, unmet};
use crate::record::{Close, Fact, Released};
use crate::session::Peer;
use crate::task::Reason;
use alloc::collections::{BTreeMap, btree_map};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::iter::Peekable;

/// Whether a device has room for a lease of this guardian.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Room {
    /// A credit is in hand.
    Yes,
    /// It was asked just now.
    Asked,
    /// Nobody has asked.
    Unknown,
    /// It said that it is full.
    Full,
    /// It takes nothing, or does not answer.
    No,
}

impl Room {
    /// It has room, or may have.
    pub(super) const fn may_be(self) -> bool {
        matches!(self, Self::Yes | Self::Asked | Self::Unknown)
    }
}

/// A device that a task may go to.
#[derive(Clone, Copy)]
pub(super) struct Offer<'a> {
    /// As the placement sees it.
    pub(super) candidate: Candidate<'a>,
    /// It has failed this task before.
    pub(super) avoid: bool,
    /// Whether it has room.
    pub(super) room: Room,
}

/// What devices have done with a task before.
#[derive(Default)]
pub(super) struct Past {
    /// They have failed it.
    failed: Vec<DeviceId>,
    /// They have given it back, in this life and on the strength of this record.
    refused: Vec<(DeviceId, Incarnation, u64)>,
}

impl Past {
    pub(super) fn of(entry: &Entry) -> Self {
        let mut past = Self::default();
        for fact in entry.record.facts() {
            let Fact::Closed(closed) = fact else { continue };
            match &closed.close {
                Close::Finished(outcome) if !outcome.is_ok() => past.failed.push(closed.by),
                Close::Released(Released::Refused { record_sequence, .. }) => {
                    past.refused.push((closed.by, closed.by_inc, *record_sequence));
                }
                _ => {}
            }
        }
        past
    }

    /// All of them, each twice if it has done both.
    pub(super) fn devices(&self) -> Vec<DeviceId> {
        self.failed.iter().copied().chain(self.refused.iter().map(|(device, ..)| *device)).collect()
    }
}

/// Finds what a map knows of one device after the other, in their order: with a thousand of them, looking each up costs more than all
/// the rest of a placement.
struct Beside<'a, V>(Peekable<btree_map::Iter<'a, DeviceId, V>>);

impl<'a, V> Beside<'a, V> {
    fn new(map: &'a BTreeMap<DeviceId, V>) -> Self {
        Self(map.iter().peekable())
    }

    fn next(&mut self, device: DeviceId) -> Option<&'a V> {
        while self.0.next_if(|(other, _)| **other < device).is_some() {}
        self.0.next_if(|(other, _)| **other == device).map(|(_, value)| value)
    }
}

impl Scheduler {
    /// Every known device as a candidate for a task, this one first.
    pub(super) fn offers(&self, task: TaskId) -> Vec<Offer<'_>> {
        let Some(entry) = self.tasks.get(&task) else { return Vec::new() };
        let Past { failed, refused } = Past::of(entry);
        let (mut peers, mut counted) = (Beside::new(&self.peers), Beside::new(&self.guardian.counted));
        let mine = core::iter::once((&self.own, None, self.counted_at(self.me).0));
        let others = self.devices.iter().filter(|(device, _)| **device != self.me).map(|(device, record)| {
            let counted = counted.next(*device).map_or(0, |(count, _)| *count);
            (record, peers.next(*device), counted)
        });
        let offer = |(record, peer, counted): (_, Option<&Peer>, u32)| {
            let record: &crate::device::DeviceRecord = record;
            let device = record.device;
            let shown = record.active_tasks.saturating_add(record.queued_tasks);
            let is_refused = |(by, inc, sequence): &(DeviceId, _, u64)| {
                *by == device && *inc == record.incarnation && record.sequence <= *sequence
            };
            let candidate = Candidate {
                record,
                leased_unseen: counted.saturating_sub(shown),
                reachable: device == self.me || peer.is_some_and(Peer::is_up),
                refused: refused.iter().any(is_refused),
            };
            let room = match peer {
                _ if device == self.me => self.room_here(),
                Some(peer) => self.room_at(peer, counted),
                None => Room::No,
            };
            Offer { candidate, avoid: failed.contains(&device), room }
        };
        let mut offers = Vec::with_capacity(1 + self.devices.len());
        offers.extend(mine.chain(others).map(offer));
        offers
    }

    /// The same for those who need not know about room.
    pub(crate) fn candidates(&self, task: TaskId) -> Vec<Candidate<'_>> {
        self.offers(task).into_iter().map(|offer| offer.candidate).collect()
    }

    /// The best that can be said of the room of all devices, without looking at more of them than needed: room, or somebody to be
    /// asked, else somebody who was asked, else none.
    pub(super) fn any_room(&self) -> Room {
        let mut counted = Beside::new(&self.guardian.counted);
        let rooms = core::iter::once(self.room_here()).chain(self.peers.iter().map(|(device, peer)| {
            let counted = counted.next(*device).map_or(0, |(count, _)| *count);
            self.room_at(peer, counted)
        }));
        let mut any = Room::No;
        for room in rooms {
            match room {
                Room::Yes | Room::Unknown => return room,
                Room::Asked => any = Room::Asked,
                Room::Full | Room::No => {}
            }
        }
        any
    }

    fn room_here(&self) -> Room {
        if self.local_room() > 0 { Room::Yes } else { Room::No }
    }

    /// Whether a peer has room for one lease more than those that are counted.
    pub(super) fn room_at(&self, peer: &Peer, counted: u32) -> Room {
        let now = self.now.mono;
        match peer.credit.asked {
            _ if !peer.is_up() || !peer.take => Room::No,
            _ if peer.lease_limit(now) > counted => Room::Yes,
            _ if now < peer.credit.denied_until => Room::Full,
            Some(asked) if now < asked + ASK_PATIENCE => Room::Asked,
            Some(asked) if now < asked + ASK_AGAIN => Room::No,
            _ => Room::Unknown,
        }
    }

    /// Why a task that waits for a device does, as this device sees it, with a sentence for people.
    pub(crate) fn waiting_reason(&self, task: TaskId) -> Option<(Reason, String)> {
        let entry = self.tasks.get(&task)?;
        if let Some(text) = self.waits_for(entry).filter(|_| entry.record.resolve().lease.is_none()) {
            return Some((Reason::WaitingDependency, text));
        }
        let candidates = self.candidates(task);
        if candidates.iter().any(|candidate| fits(&entry.spec, candidate)) {
            return Some((Reason::Resources, "every device that fits is busy".to_string()));
        }
        let nearest = candidates
            .iter()
            .map(|candidate| (unmet(&entry.spec, candidate), candidate.record))
            .min_by_key(|(unmet, record)| (Unmet::distance(unmet), record.device))?;
        let (unmet, record) = nearest;
        let first = unmet.first()?;
        let name = if record.capacity.name.is_empty() { "a device" } else { &record.capacity.name };
        let text: Vec<_> = unmet.iter().map(ToString::to_string).collect();
        Some((first.reason(), alloc::format!("nearest is {name}: {}", text.join("; "))))
    }
}
