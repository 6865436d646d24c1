//! Asking all devices that are here, each for its share, and putting the answers together.

use super::exchange::{Counter, Share, ShareAsk};
use super::tally::{By, Counts};
use crate::clock;
use crate::driver::{DriverError, PeerReport};
use rc_scheduler::DeviceId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::task::JoinSet;

/// If a device is lost meanwhile, the others are asked once more, so that they count its share.
const ROUNDS: usize = 2;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatsAsk {
    /// From so long ago until now.
    pub period: Duration,
    /// What rows are told apart by.
    pub by: By,
}

/// What the tasks of a period came to.
#[derive(Debug, Clone, Default)]
pub struct StatsReport {
    /// From when, milliseconds since 1970.
    pub from_wall_ms: u64,
    /// Until when.
    pub to_wall_ms: u64,
    /// What rows are told apart by.
    pub by: By,
    /// What was counted.
    pub counts: Counts,
    /// Members that did not answer. What nobody else keeps is not counted.
    pub silent: Vec<DeviceId>,
    /// Devices that had too much to count in time: they counted the newest.
    pub partial: Vec<DeviceId>,
    /// Tasks at once, of each device that answered.
    pub slots: BTreeMap<DeviceId, u32>,
}

impl Counter {
    pub(crate) async fn ask_all(&self, ask: StatsAsk, peers: Vec<PeerReport>) -> Result<StatsReport, DriverError> {
        let to_wall_ms = clock::now().wall_ms;
        let period_ms = u64::try_from(ask.period.as_millis()).unwrap_or(u64::MAX);
        let from_wall_ms = to_wall_ms.saturating_sub(period_ms);
        let is_here = |peer: &&PeerReport| peer.me || !matches!(peer.state, "suspect" | "dead");
        let mut present: BTreeSet<_> = peers.iter().filter(is_here).map(|peer| peer.id).collect();
        let mut shares = BTreeMap::new();
        for _ in 0..ROUNDS {
            let ask = ShareAsk { from_wall_ms, to_wall_ms, by: ask.by, present: present.clone() };
            let mut round = JoinSet::new();
            for device in present.clone() {
                let (counter, ask) = (self.clone(), ask.clone());
                round.spawn(async move { (device, counter.share_of(device, &ask).await) });
            }
            shares = BTreeMap::new();
            while let Some(Ok((device, share))) = round.join_next().await {
                match share {
                    Ok(share) => drop(shares.insert(device, share)),
                    Err(DriverError::Stopping) if device == self.me() => return Err(DriverError::Stopping),
                    Err(error) => {
                        tracing::debug!(%device, %error, "did not count");
                        present.remove(&device);
                    }
                }
            }
            if shares.len() == ask.present.len() {
                break;
            }
        }
        let mut report = StatsReport { from_wall_ms, to_wall_ms, by: ask.by, ..StatsReport::default() };
        for (device, Share { counts, partial }) in &shares {
            report.counts.merge(counts);
            report.partial.extend(partial.then_some(*device));
        }
        for peer in &peers {
            let slots = peer.record.as_ref().map(|record| record.capacity.max_concurrent_tasks);
            match slots.filter(|_| shares.contains_key(&peer.id)) {
                Some(slots) => drop(report.slots.insert(peer.id, slots)),
                None if shares.contains_key(&peer.id) => {}
                None => report.silent.push(peer.id),
            }
        }
        Ok(report)
    }
}
