//! Counts what happens, for whoever collects figures, and hands figures and events out.

use super::handle::{DriverError, Handle};
use super::report;
use super::request::Request;
use super::run::Driver;
use crate::alerts::{Alert, Outbox};
use crate::clock;
use crate::events::EventLog;
use crate::metrics::{MetricCounts, MetricsReport};
use crate::stats::{StatsAsk, StatsReport};
use crate::telemetry::otlp::{self, Exporter};
use rc_scheduler::{Event, Fact};
use std::collections::BTreeMap;

/// Prefix of the cells with alerts that nobody has taken yet.
pub(crate) const ALERT_CELL: &str = "alert/";

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
            Event::Leased { task, epoch, .. } | Event::Speculated { task, epoch, .. } => {
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
            Event::Alarm { .. } | Event::Alert { .. } => counts.alerts += 1,
            _ => {}
        }
    }

    /// A task has ended: its spans go to the collector, if there is one.
    pub(super) fn trace_end(&self, event: &Event) {
        let (Some(spans), Event::Settled { task }) = (&self.spans, event) else { return };
        let view = self.core.view();
        if let Some(record) = view.record(*task) {
            spans.take(otlp::of_task(view.me(), *task, record, view.spec(*task), clock::now().wall_ms));
        }
    }

    /// A task has failed for good: somebody outside is told, if anybody is to be. Written down before the end is, so that no life ends
    /// between the two.
    pub(super) fn raise(&mut self, event: &Event) {
        let Some(outbox) = &self.alerts else { return };
        if let Some(alert) = Alert::of(event, clock::now().wall_ms) {
            let (name, value) = (format!("{ALERT_CELL}{}", alert.name()), alert.to_bytes());
            if outbox.take(alert) {
                self.disk.put_cell(&name, &value);
            }
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
            spans_dropped: self.spans.as_ref().map_or(0, Exporter::dropped),
            alerts_unsent: self.alerts.as_ref().map_or(0, Outbox::unsent),
            gossip: [network.gossip_out, network.gossip_in, network.gossip_dropped],
            turned_away: [network.not_members, network.handshakes_failed],
        }
    }
}

impl Handle {
    /// An alert was sent, or will not be.
    pub(crate) async fn alert_over(&self, name: String) {
        // Who stops meanwhile sends it again in his next life.
        let _ = self.ask(|answer| Request::AlertOver { name, answer }).await;
    }

    /// The last events, for those who come and go.
    #[must_use]
    pub const fn events(&self) -> &EventLog {
        &self.log
    }

    /// What the cluster's tasks of a period came to, as far as records of them are kept by devices that answer.
    pub async fn stats(&self, ask: StatsAsk) -> Result<StatsReport, DriverError> {
        self.counter.ask_all(ask, self.peers().await?).await
    }

    /// This device's figures.
    pub async fn metrics(&self) -> Result<Box<MetricsReport>, DriverError> {
        self.ask(|answer| Request::Metrics { answer }).await
    }
}
