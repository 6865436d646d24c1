//! Counts what happens, for whoever collects figures.

use super::report;
use super::run::Driver;
use crate::clock;
use crate::metrics::{MetricCounts, MetricsReport};
use rc_scheduler::{Event, Fact};
use std::collections::BTreeMap;

impl Driver {
    /// Each thing is counted by one device: who accepted, granted or ran it.
    pub(super) fn meter(&mut self, event: &Event) {
        let view = self.core.view();
        let me = view.me();
        let counts = &mut self.counts;
        match event {
            Event::Submitted { task } => {
                let by = view.record(*task).and_then(|record| record.resolve().submitted.map(|submitted| submitted.by));
                counts.accepted += u64::from(by == Some(me));
            }
            Event::Leased { task, epoch, .. } => {
                let mut facts = view.record(*task).into_iter().flat_map(|record| record.facts());
                let own = |fact: &Fact| matches!(fact, Fact::Leased(lease) if lease.epoch == *epoch && lease.by == me);
                counts.leases += u64::from(facts.any(own));
            }
            Event::Started { task, epoch } => {
                counts.started += u64::from(self.attempts.contains_key(&(*task, *epoch)));
            }
            Event::Closed { task, epoch } => {
                let closed = view.record(*task).and_then(|record| MetricCounts::close_of(record, *epoch));
                if let (Some(closed), Some(spec)) = (closed.filter(|closed| closed.by == me), view.spec(*task)) {
                    counts.attempt_over(&spec.task_type, &closed.close);
                }
            }
            Event::Settled { task } => {
                let record = view.record(*task);
                let accepted = |by| by == me;
                if let Some(record) =
                    record.filter(|record| record.resolve().submitted.is_some_and(|submitted| accepted(submitted.by)))
                {
                    counts.task_ended(record);
                }
            }
            Event::PeerHeard { .. } => counts.peers_heard += 1,
            Event::PeerLost { .. } => counts.peers_lost += 1,
            Event::Alarm { .. } => counts.alerts += 1,
            _ => {}
        }
    }

    pub(super) fn metrics(&self) -> MetricsReport {
        let view = self.core.view();
        let mut peers = BTreeMap::new();
        for peer in report::peers(view, clock::now().mono, |_| None) {
            *peers.entry(peer.state).or_default() += 1;
        }
        let network = self.client.stats();
        MetricsReport {
            counts: self.counts.clone(),
            status: self.status(),
            peers,
            slots: self.capacity.max_concurrent_tasks,
            dropped: view.counters(),
            bad_messages: self.bad_messages,
            gossip: [network.gossip_out, network.gossip_in, network.gossip_dropped],
            turned_away: [network.not_members, network.handshakes_failed],
        }
    }
}
