//! A device that contradicts itself: two hosts that run with one key, or one whose disk was put back to an older image (rule 1). Links
//! deliver in order and one ends before the next begins, so what a single host says over them never goes back: neither its life, nor, in
//! one life, the number of its record. A restart begins a later life, however quick it is.

use crate::core::Scheduler;
use crate::device::DeviceRecord;
use crate::effect::Event;
use crate::id::{DeviceId, Incarnation};
use crate::time::{Mono, Span};

/// A disk that was put back contradicts what went before it once or twice.
const TIMES: u8 = 3;
/// Within this time; and nobody is told more often.
const WINDOW: Span = Span::from_secs(60);
/// How long a device is shown as one of two.
const SHOWN: Span = Span::from_secs(300);

/// What a device has said of itself, and how often it went back on that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Doubts {
    /// Its last record over its own link.
    last: (Incarnation, u64),
    since: Mono,
    times: u8,
    told: Option<Mono>,
}

impl Doubts {
    /// Others may want to know.
    pub(crate) fn are_fresh(&self, now: Mono) -> bool {
        self.told.is_some_and(|told| now.since(told) < SHOWN)
    }
}

impl Scheduler {
    /// A device's record has come over its own link.
    pub(crate) fn compare_with_last(&mut self, record: &DeviceRecord) {
        let peer = self.peer_mut(record.device);
        let (incarnation, sequence) = core::mem::replace(&mut peer.doubts.last, (record.incarnation, record.sequence));
        if incarnation == record.incarnation && record.sequence < sequence {
            self.doubt(record.device);
        }
    }

    /// A device has said what a single host cannot have said after what it said before.
    pub(crate) fn doubt(&mut self, device: DeviceId) {
        let now = self.now.mono;
        let doubts = &mut self.peer_mut(device).doubts;
        if now.since(doubts.since) > WINDOW {
            (doubts.since, doubts.times) = (now, 0);
        }
        doubts.times = doubts.times.saturating_add(1);
        if doubts.times == TIMES {
            doubts.told = Some(now);
            self.notify(Event::Twins { device });
        }
    }
}
