//! From the disk to what a start needs: this life's number, safe on disk before anything leaves, and all that was kept.

use super::error::NodeError;
use super::ports::PORTS_CELL;
use crate::alerts::Alert;
use crate::blobs::named_by;
use crate::clock;
use crate::driver::{
    ALERT_CELL, CLOCK_CELL, GRAVES_CELL, PEER_CELL, decode_addresses, decode_clock, decode_graves, decode_member,
    decode_peer, decode_record,
};
use crate::identity::{self, LOG_DIR, MEMBER_CELL, SEEDS_CELL};
use crate::storage::{Batch, Counter, Damaged, OpenError, Options, Report, Storage};
use rc_p2p::{Multiaddr, PeerId};
use rc_scheduler::{BlobRef, Config, DeviceId, Durable, Incarnation, Restore, Scheduler, TaskId};
use std::path::{Path, PathBuf};

/// Cell: how often the node was started, four bytes.
const BOOTS_CELL: &str = "boots";
/// Damaged places that `status` names.
const DAMAGE_SHOWN_MAX: usize = 8;
/// Added to the count when it may be an old one.
const BOOTS_LEAP: u32 = 1 << 12;

/// Everything that was on disk, in its place.
pub(super) struct Ready {
    pub(super) core: Scheduler,
    pub(super) storage: Storage,
    pub(super) known: Vec<(PeerId, Vec<Multiaddr>)>,
    pub(super) seeds: Vec<Multiaddr>,
    pub(super) ports: Option<Vec<u8>>,
    /// The blobs that records name.
    pub(super) blobs: Vec<(TaskId, BlobRef)>,
    /// What nobody was told yet, the oldest first.
    pub(super) alerts: Vec<Alert>,
    /// What was cut or damaged, in words.
    pub(super) disk_found: Vec<String>,
}

/// What was on disk, but for the records.
pub(super) struct Boot {
    pub(super) storage: Storage,
    pub(super) durable: Durable,
    pub(super) known: Vec<(PeerId, Vec<Multiaddr>)>,
    pub(super) seeds: Vec<Multiaddr>,
    pub(super) ports: Option<Vec<u8>>,
    /// What nobody was told yet, the oldest first.
    pub(super) alerts: Vec<Alert>,
    /// What was cut or damaged, in words.
    pub(super) disk_found: Vec<String>,
}

impl Boot {
    /// The core, given all that was kept, one record after the other.
    pub(super) async fn restore(self, me: DeviceId, config: Config, seed: [u8; 32]) -> Result<Ready, NodeError> {
        tokio::task::spawn_blocking(move || {
            let Self { mut storage, durable, known, seeds, ports, alerts, disk_found } = self;
            let mut restore = Restore::new(me, config, seed, durable, clock::now())?;
            let mut blobs = Vec::new();
            storage.for_each_task(|record| {
                let task = TaskId(record.task);
                let kept = decode_record(record);
                match kept.tomb {
                    Some(tomb) if kept.facts.is_empty() => restore.tomb(task, &tomb),
                    _ => {
                        blobs.extend(kept.facts.iter().flat_map(named_by).map(|blob| (task, blob)));
                        restore.task(task, kept.facts, kept.ended);
                    }
                }
            })?;
            Ok(Ready { core: restore.finish(clock::now()), storage, known, seeds, ports, blobs, alerts, disk_found })
        })
        .await?
    }
}

/// Opens the data directory, for this node alone.
pub(super) async fn open(data_dir: &Path) -> Result<Boot, NodeError> {
    let data_dir: PathBuf = data_dir.to_owned();
    tokio::task::spawn_blocking(move || read(&data_dir)).await?
}

fn read(data_dir: &Path) -> Result<Boot, NodeError> {
    identity::make_dir(data_dir).map_err(|source| NodeError::DataDir { path: data_dir.to_owned(), source })?;
    let log_dir = data_dir.join(LOG_DIR);
    let (mut storage, report) = Storage::open(&log_dir, Options::default()).map_err(|error| match error {
        OpenError::InUse { holder, .. } => NodeError::InUse { data_dir: data_dir.to_owned(), holder },
        error => NodeError::Open(error),
    })?;
    let disk_found = tell(&report);
    let incarnation = count_up(&log_dir, &mut storage, &report)?;

    let mut durable = Durable { incarnation, ..Durable::default() };
    let mut known = Vec::new();
    let mut alerts = Vec::new();
    for (name, value) in storage.cells() {
        if name.starts_with(MEMBER_CELL) {
            match decode_member(value) {
                Ok(member) => durable.members.push(member),
                Err(error) => tracing::error!(name, %error, "a member is unreadable"),
            }
        } else if name.starts_with(GRAVES_CELL) {
            match decode_graves(name, value) {
                Some(row) => durable.graves.push(row),
                None => tracing::error!(name, "what was buried is unreadable"),
            }
        } else if name.starts_with(PEER_CELL) {
            known.extend(decode_peer(name, value));
        } else if name.starts_with(ALERT_CELL) {
            alerts.extend(Alert::from_bytes(value));
        }
    }
    if let Some((ran_s, series)) = storage.cell(CLOCK_CELL).and_then(decode_clock) {
        // After damage a number may have been given that is not known any more.
        let whole = report.damage_count == 0 && report.cut.as_ref().is_none_or(|cut| cut.entries.is_empty());
        durable.ran_s = ran_s;
        durable.series = whole.then_some(series);
    }
    let seeds = storage.cell(SEEDS_CELL).map(decode_addresses).unwrap_or_default();
    let ports = storage.cell(PORTS_CELL).map(<[u8]>::to_vec);
    alerts.sort_by(Alert::by_time);
    Ok(Boot { storage, durable, known, seeds, ports, alerts, disk_found })
}

/// A new life, on disk before it begins: nobody can take it for an earlier one. In the counter, which a full disk takes as well; and
/// in the log, where versions without a counter look for it.
fn count_up(log_dir: &Path, storage: &mut Storage, report: &Report) -> Result<Incarnation, NodeError> {
    let in_log = storage.cell(BOOTS_CELL).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    let mut counter = match Counter::open(log_dir) {
        Ok(counter) => Some(counter),
        Err(error @ OpenError::Version { .. }) => return Err(NodeError::Open(error)),
        // A disk that was full before there was a counter.
        Err(error) => {
            tracing::warn!(%error, "starts are counted in the log alone");
            None
        }
    };
    let counted = counter.as_ref().and_then(Counter::value).unwrap_or(0);
    // One that was just made knows nothing yet.
    let certain = counted > 0 && counter.as_ref().is_some_and(Counter::is_certain);
    let hurt = |what: &Damaged| matches!(what, Damaged::Cell { name } if name == BOOTS_CELL);
    let log_hurt = report.damage_count > 0 || report.cut.as_ref().is_some_and(|cut| cut.entries.iter().any(hurt));
    let counter_hurt = counter.as_ref().is_some_and(|counter| !counter.is_certain());
    let may_be_old = counter_hurt || (log_hurt && !certain);
    let boots = counted.max(in_log).saturating_add(if may_be_old { BOOTS_LEAP } else { 1 });
    let counted = counter.as_mut().map(|counter| counter.raise(boots));
    let mut batch = Batch::new();
    let fits = batch.put_cell(BOOTS_CELL, &boots.to_be_bytes());
    debug_assert!(fits.is_ok(), "a short name and four bytes");
    let logged = storage.commit(&batch);
    if let Some(Ok(())) = counted {
        if let Err(error) = logged {
            tracing::warn!(%error, "the log takes nothing new");
        }
    } else {
        logged?;
    }
    Ok(Incarnation { boots, wakes: 0 })
}

/// Names what is damaged, in the log and for `status`; the rest is served.
fn tell(report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(cut) = &report.cut {
        tracing::warn!(
            segment = cut.segment,
            offset = cut.offset,
            bytes = cut.bytes,
            entries = cut.entries.len(),
            "the log ended in the middle of a write, which was cut"
        );
        found.push(format!(
            "cut: segment {} at byte {}, {} bytes of a write that was not finished",
            cut.segment, cut.offset, cut.bytes
        ));
    }
    for damage in &report.damage {
        tracing::error!(%damage, "the log is damaged");
    }
    if report.damage_count > report.damage.len() as u64 {
        tracing::error!(places = report.damage_count, "the log is damaged in more places");
    }
    found.extend(report.damage.iter().take(DAMAGE_SHOWN_MAX).map(|damage| format!("damaged: {damage}")));
    let more = report.damage_count.saturating_sub(DAMAGE_SHOWN_MAX as u64);
    if more > 0 {
        found.push(format!("and {more} more damaged places"));
    }
    found
}
