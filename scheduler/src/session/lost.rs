//! Losing a peer: by silence, or by proof (rule 20).

use super::Life;
use crate::core::Scheduler;
use crate::effect::Event;
use crate::id::DeviceId;
use crate::timers::Timer;

impl Scheduler {
    /// The link is gone. That alone says nothing of the device.
    pub(crate) fn peer_down(&mut self, device: DeviceId) {
        let Some(peer) = self.peers.get_mut(&device) else { return };
        peer.link = false;
        peer.session = false;
        self.timers.clear(Timer::Beat(device));
        self.timers.clear(Timer::Digest(device));
        self.unsend(device);
        self.credits.forget(device);
        self.view_changed();
        self.query_lost(device);
    }

    /// The device's host answers, and nobody listens there: its process is dead.
    pub(crate) fn peer_refused(&mut self, device: DeviceId) {
        match self.peers.get(&device).map(|peer| (peer.link, peer.life)) {
            Some((false, Life::Up | Life::Unknown | Life::Vetoed { .. })) => self.lose(device, true),
            Some((false, Life::Lost { proven: false, confirmed })) => {
                self.peer_mut(device).life = Life::Lost { proven: true, confirmed };
                self.dirty_open();
            }
            _ => {}
        }
    }

    /// The deadline of a peer's silence has come.
    pub(crate) fn silence_due(&mut self, device: DeviceId) {
        let Some(peer) = self.peers.get(&device) else { return };
        let due = match peer.life {
            Life::Up => peer.heard + self.config.dead,
            // A member that never came, since this device learned of it.
            Life::Unknown => self.now.mono,
            Life::Lost { .. } | Life::Vetoed { .. } => return,
        };
        if self.now.mono >= due {
            self.lose(device, false);
        } else {
            // The first deadline is that of isolation.
            self.check_isolation();
            self.timers.set(Timer::Silence(device), due);
        }
    }

    /// A member was thrown out: what it says from now on is not heard, and what it had to do falls to others as if it were lost.
    pub(crate) fn throw_out(&mut self, device: DeviceId) {
        if !matches!(self.peer_mut(device).life, Life::Lost { .. }) {
            self.lose(device, false);
        }
    }

    fn lose(&mut self, device: DeviceId, proven: bool) {
        let peer = self.peer_mut(device);
        peer.life = Life::Lost { proven, confirmed: false };
        peer.session = false;
        self.timers.clear(Timer::Beat(device));
        self.timers.clear(Timer::Silence(device));
        self.timers.clear(Timer::Digest(device));
        self.unsend(device);
        self.credits.forget(device);
        self.view_changed();
        self.query_lost(device);
        if !self.peers.values().any(|peer| peer.life == Life::Up) {
            self.stop_isolated();
        }
        self.begin_sync();
        self.dirty_open();
        self.notify(Event::PeerLost { device, proven });
    }
}
