//! How the attempts that were leased get on, as their holders say (rule 8). In memory only.

use crate::core::Scheduler;
use crate::effect::Event;
use crate::entry::LiveState;
use crate::id::DeviceId;
use crate::message::Live;
use crate::record::Leased;
use alloc::string::String;

impl Scheduler {
    /// What a holder says of an attempt that this device granted.
    pub(crate) fn handle_live(&mut self, from: DeviceId, live: Live) {
        let Some(entry) = self.tasks.get_mut(&live.task) else { return };
        let state = entry.record.resolve();
        let is_up = |device: DeviceId| self.peers.get(&device).is_some_and(|peer| peer.is_up());
        let is_of = |lease: &Leased| lease.epoch == live.epoch && lease.to == from;
        let first = state.lease.is_some_and(is_of) && state.closed.is_none();
        // What a copy says of itself is shown when there is nothing else to show.
        let copy = state.copy.is_some_and(is_of)
            && state.copy_closed.is_none()
            && (state.closed.is_some() || state.lease.is_some_and(|lease| lease.to != self.me && !is_up(lease.to)));
        if first && live.started_wall_ms.is_some() && entry.running_seen.0 != live.epoch {
            entry.running_seen = (live.epoch, self.now.mono);
            if entry.spec.speculative {
                self.dirty.insert(live.task);
            }
        }
        if first || copy {
            let started_wall_ms = live.started_wall_ms;
            let (task, epoch, percent, text): (_, _, _, String) = (live.task, live.epoch, live.percent, live.text);
            let was = entry.live.take().filter(|was| was.epoch == epoch);
            let begins = started_wall_ms.is_some() && was.as_ref().is_none_or(|was| was.started_wall_ms.is_none());
            let (said, words) = was.map_or_else(Default::default, |was| (was.percent, was.text));
            entry.live = Some(LiveState { epoch, started_wall_ms, percent, text: text.clone() });
            if begins {
                self.notify(Event::Started { task, epoch });
            }
            if (said, &words) != (percent, &text) {
                self.notify(Event::Progress { task, epoch, percent, text });
            }
        }
    }
}
