//! The members as this device sees them.

use super::super::handle::PeerReport;
use rc_scheduler::{Blocked, DeviceId, DeviceRecord, Liveness, Mono, PeerView, View};

/// This device first, then the others in order of id.
pub(crate) fn peers(view: View<'_>, now: Mono, address: impl Fn(DeviceId) -> Option<String>) -> Vec<PeerReport> {
    let me = PeerReport {
        id: view.me(),
        me: true,
        record: Some(view.own().clone()),
        state: if view.running().next().is_some() { busy(view.own()).unwrap_or("working") } else { word(view.own()) },
        incarnation: Some(view.incarnation()),
        heard_ms_ago: Some(0),
        address: None,
        twins: false,
    };
    let other = |peer: PeerView<'_>| PeerReport {
        id: peer.device,
        me: false,
        record: peer.record.cloned(),
        state: match peer.liveness {
            Liveness::Up => peer.record.map_or("idle", word),
            Liveness::Unknown | Liveness::Suspect => "suspect",
            Liveness::Dead => "dead",
        },
        incarnation: peer.incarnation,
        heard_ms_ago: (peer.liveness != Liveness::Unknown).then(|| now.since(peer.heard).as_ms()),
        address: address(peer.device),
        twins: peer.twins,
    };
    let gone = |device| view.members().get(device).is_some_and(|member| member.retired || member.revoked);
    std::iter::once(me).chain(view.peers().filter(|peer| !gone(peer.device)).map(other)).collect()
}

/// Why it takes nothing, if its owner or the node says so.
fn busy(record: &DeviceRecord) -> Option<&'static str> {
    let blocked = &record.capacity.blocked;
    if blocked.contains(&Blocked::Draining) {
        Some("draining")
    } else if blocked.is_empty() {
        None
    } else {
        Some("paused")
    }
}

fn word(record: &DeviceRecord) -> &'static str {
    busy(record).unwrap_or(if record.active_tasks > 0 { "working" } else { "idle" })
}
