//! News from network, disk, executor and sampler, as inputs of the core.

use super::run::Driver;
use super::watch::Told;
use super::{attempts, keys};
use crate::clock;
use crate::executor::ExecutorEvent;
use crate::identity::{SEEDS_CELL, device_id};
use crate::storage;
use rc_scheduler::{AttemptEvent, Blocked, Epoch, Input, TaskId, wire};

impl Driver {
    pub(super) fn handle_disk(&mut self, event: storage::Event) {
        let event = match event {
            storage::Event::Loaded { task, record } => {
                let task = TaskId(task);
                let record = record.unwrap_or_else(|error| {
                    tracing::error!(%task, %error, "a record cannot be read");
                    None
                });
                let facts = record.map(keys::decode_record).unwrap_or_default().facts;
                self.feed(Input::Loaded { task, facts });
                return;
            }
            event => event,
        };
        let told = self.disk.handle(clock::now().mono, event);
        if let Some(healthy) = told.healthy {
            self.feed(Input::Storage { healthy });
        }
        if let Some(upto) = told.persisted {
            self.feed(Input::Persisted { upto });
        }
    }

    pub(super) fn handle_capacity(&mut self, told: Told) {
        let Told { mut capacity, gives_up } = told;
        if self.stopping.is_some() {
            capacity.blocked.insert(Blocked::Draining);
        }
        capacity.task_types.retain(|name| !self.withdrawn.contains(name));
        self.capacity = capacity.clone();
        self.feed(Input::Capacity(Box::new(capacity)));
        if gives_up {
            self.feed(Input::GiveUp);
        }
    }

    /// Somebody else is here: what was offered to this device's own user alone is offered no more, and that before anything is heard.
    fn meet_others(&mut self) {
        if self.alone.is_empty() {
            return;
        }
        tracing::info!(types = ?self.alone, "not alone any more: offered no more");
        self.withdrawn.append(&mut self.alone);
        self.handle_capacity(Told { capacity: self.capacity.clone(), gives_up: false });
    }

    pub(super) fn handle_executor(&mut self, event: ExecutorEvent) {
        let named = |task: &str, epoch| task.parse::<TaskId>().ok().map(|task| (task, Epoch(epoch)));
        match event {
            ExecutorEvent::Started { task, epoch } => {
                let Some((task, epoch)) = named(&task, epoch) else { return };
                self.attempts.insert((task, epoch), clock::now().wall_ms);
                self.feed(Input::Attempt { task, epoch, event: AttemptEvent::Started });
            }
            ExecutorEvent::Progress { task, epoch, percent, text } => {
                let Some((task, epoch)) = named(&task, epoch) else { return };
                let event = AttemptEvent::Progress { percent: Some(percent), text };
                self.feed(Input::Attempt { task, epoch, event });
            }
            ExecutorEvent::Finished { task, epoch, outcome } => {
                let Some((task, epoch)) = named(&task, epoch) else { return };
                self.live.end(task, epoch);
                let now = clock::now().wall_ms;
                let began = self.attempts.get(&(task, epoch)).copied().unwrap_or(now);
                let made = outcome.blobs.clone();
                let outcome = attempts::outcome(outcome, began, now, self.large.blobs().payload_bytes_max());
                self.ended(task, epoch, outcome, made);
            }
        }
    }

    pub(super) fn handle_network(&mut self, event: rc_p2p::Event) {
        use rc_p2p::Event as News;
        match event {
            News::Up { peer, address } => {
                tracing::info!(%peer, %address, "connected");
                self.meet_others();
                let device = self.peers.up(peer, address);
                self.large.blobs().peer_up();
                if std::mem::take(&mut self.has_seeds) {
                    self.disk.delete_cell(SEEDS_CELL);
                }
                self.feed(Input::PeerUp(device));
            }
            News::Down { peer } => {
                tracing::info!(%peer, "disconnected");
                let device = self.peers.down(&peer);
                self.feed(Input::PeerDown(device));
            }
            News::Refused { peer } => self.feed(Input::PeerRefused(device_id(&peer))),
            News::Unreachable { peer } => tracing::debug!(%peer, "not reachable"),
            News::Frame { from, bytes } => match wire::decode(&bytes) {
                Ok(message) => self.feed(Input::Message { from: device_id(&from), message }),
                Err(error) => {
                    self.bad_messages += 1;
                    tracing::debug!(peer = %from, %error, "dropped a frame");
                }
            },
            News::Gossip { via, bytes } => match wire::decode_record(&bytes) {
                Ok(record) => self.feed(Input::Device(Box::new(record))),
                Err(error) => {
                    self.bad_messages += 1;
                    tracing::debug!(%via, %error, "dropped a record");
                }
            },
            News::Addresses { peer, addresses } => {
                if let Some((name, value)) = self.peers.learn(peer, addresses) {
                    self.disk.put_cell(&name, value.as_bytes());
                }
            }
            News::Listening(address) => {
                tracing::info!(%address, "listening");
                if let Some(value) = self.ports.learn(&address) {
                    self.disk.put_cell(crate::node::PORTS_CELL, &value);
                }
                self.listening.send_modify(|list| {
                    if !list.contains(&address) {
                        list.push(address);
                    }
                });
            }
            News::NotListening { address, reason } => {
                tracing::warn!(%address, reason, "not listening");
                self.listening.send_modify(|list| list.retain(|other| *other != address));
            }
            News::NoMdns { reason } => {
                tracing::warn!(reason, "no discovery on the local network; name a peer's address instead");
            }
            News::Rejected { address, reason } => tracing::warn!(%address, ?reason, "turned away"),
        }
    }

    pub(super) fn network_ended(&mut self) {
        tracing::error!("the network ended");
        self.begin_stop(None);
    }
}
