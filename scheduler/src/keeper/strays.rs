//! Strays: ended records that this device keeps without being one of those who compare them (rule 18d). No digest would ever show that
//! one of them differs, and whoever starts anew has forgotten who else has a copy. So they are listed to those who compare them
//! whenever either of the two has started, one list after the other.

use super::digest::after;
use crate::core::Scheduler;
use crate::id::{DeviceId, TaskId};
use crate::message::{Message, SUMMARY_MAX, Strayed, Strays};
use alloc::vec::Vec;

impl Scheduler {
    /// A session begins: lists the strays that the other is to know of, if it has not heard of them since it started.
    pub(crate) fn begin_strays(&mut self, device: DeviceId) {
        let boots = self.peers.get(&device).and_then(|peer| peer.inc).map(|inc| inc.boots);
        let peer = self.peer_mut(device);
        if peer.strays_told != boots {
            peer.strays_told = boots;
            peer.strays_from = Some(TaskId::default());
        }
        self.tell_strays(device);
    }

    /// Sends the next list. The answer to it brings the one after.
    fn tell_strays(&mut self, to: DeviceId) {
        let Some(from) = self.peers.get(&to).and_then(|peer| peer.strays_from) else { return };
        let all_compare = self.members.keepers().nth(self.config.home_size).is_none()
            && self.members.keepers().any(|device| device == self.me);
        let entries = if all_compare { Vec::new() } else { self.strays(to, from) };
        if entries.is_empty() {
            self.peer_mut(to).strays_from = None;
        } else {
            self.send(to, Message::Strays(Strays { entries }));
        }
    }

    fn strays(&self, to: DeviceId, from: TaskId) -> Vec<(TaskId, u64)> {
        let is_stray = |sharers: &[DeviceId]| sharers.contains(&to) && !sharers.contains(&self.me);
        let hot = self
            .tasks
            .range(from..)
            .filter(|(task, entry)| entry.announced && is_stray(&self.sharers(**task, entry.acceptors())));
        let cold = self.cold.range(from..).filter(|(task, cold)| {
            !cold.buried && is_stray(&self.sharers(*task, self.cold.circle(cold).acceptors.iter().copied()))
        });
        let hot = hot.map(|(task, entry)| (*task, entry.record.hash())).take(SUMMARY_MAX);
        let cold = cold.map(|(task, cold)| (task, cold.hash)).take(SUMMARY_MAX);
        let mut entries: Vec<_> = hot.chain(cold).collect();
        entries.sort_unstable();
        entries.truncate(SUMMARY_MAX);
        entries
    }

    /// A peer's strays: who has them is noted, and what differs is asked for; then the other is sent what it lacks.
    pub(crate) fn handle_strays(&mut self, from: DeviceId, strays: Strays) {
        let mut lack = Vec::new();
        let last = strays.entries.last().map(|(task, _)| *task);
        for (task, theirs) in strays.entries {
            if let Some(entry) = self.tasks.get_mut(&task) {
                let (all, equal) = (entry.record.all(), entry.record.hash() == theirs);
                let copy = entry.copy_mut(from);
                copy.has = true;
                if equal {
                    copy.stored = all;
                } else {
                    copy.stored = 0;
                    lack.push(task);
                }
                self.dirty.insert(task);
            } else {
                match self.cold.get(task).copied() {
                    Some(cold) if cold.buried => self.owe_tomb(Some(from), task),
                    Some(cold) if cold.hash == theirs => self.cold.note_stored(task, from),
                    // What comes of it is read into the record here, and then the other is sent the rest.
                    Some(_) | None => lack.push(task),
                }
            }
        }
        if let Some(upto) = last {
            self.send(from, Message::Strayed(Strayed { upto, lack }));
        }
    }

    /// A peer has looked at a list of strays.
    pub(crate) fn handle_strayed(&mut self, from: DeviceId, strayed: Strayed) {
        strayed.lack.into_iter().for_each(|task| self.repair(task, from));
        let peer = self.peer_mut(from);
        let next = after(strayed.upto);
        if peer.strays_from.is_some_and(|at| at < next) {
            peer.strays_from = Some(next);
            self.tell_strays(from);
        }
    }

    /// Not everything that a peer lacked could be read: it is told of all strays again.
    pub(super) fn restart_strays(&mut self, device: DeviceId) {
        self.peer_mut(device).strays_from = Some(TaskId::default());
        self.tell_strays(device);
    }
}
