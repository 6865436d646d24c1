//! Questions from handles: answered from what is here, or handed to the core.

use super::handle::{DriverError, NodeStatus};
use super::meter::ALERT_CELL;
use super::report;
use super::request::{Pending, Request, answer};
use super::run::Driver;
use super::waiters::Waiter;
use crate::clock;
use rc_p2p::{Multiaddr, Ticket, multiaddr::Protocol};
use rc_scheduler::{Capacity, Command, Input, Liveness, TaskId, Unmet};

/// The name of the newest task accepted here.
const LAST: &str = "last";

impl Driver {
    pub(super) fn handle_request(&mut self, request: Request) {
        if self.stopping.is_some() && !matches!(request, Request::Shutdown { .. }) {
            // Dropped with the way to its answer, which is how the asker learns that the node stops.
            return;
        }
        match request {
            Request::Submit { tasks, disks, answer } => {
                self.command(Command::Submit { tasks, disks }, Pending::Submit(answer));
            }
            Request::Cancel { task, answer } => self.command(Command::Cancel(task), Pending::Cancel(answer)),
            Request::Reopen { task, answer } => self.command(Command::Reopen(task), Pending::Cancel(answer)),
            Request::Task { task, answer: to } => match report::kept(self.core.view(), task, clock::now()) {
                Some(report) => answer(to, Ok(report)),
                None => self.command(Command::Read(task), Pending::Task(to)),
            },
            Request::Wait { task, waiter } => {
                if let Some(waiter) = self.wait(task, waiter) {
                    waiter.tell(task, Err(DriverError::NotFound));
                }
            }
            Request::WaitMany { mut tasks, ended, answer: to } => {
                tasks.retain(|task| self.wait(*task, Waiter::Many(ended.clone())).is_some());
                answer(to, Ok(tasks));
            }
            Request::History { task, answer: to } => match self.core.view().record(task) {
                Some(record) => answer(to, Ok(report::history(record))),
                None => self.command(Command::Read(task), Pending::History(to)),
            },
            Request::Find { prefix, answer: to } => {
                if prefix == LAST {
                    answer(to, Ok(self.last_accepted.into_iter().collect()));
                } else if let Some(task) = prefix.parse().ok().filter(|task| self.keeps(*task)) {
                    answer(to, Ok(vec![task]));
                } else {
                    self.command(Command::Find(prefix), Pending::Find(to));
                }
            }
            Request::List { limit, answer } => self.command(Command::List { limit }, Pending::List(answer)),
            Request::OpenOf { task_type, answer } => self.command(Command::OpenOf(task_type), Pending::List(answer)),
            Request::Batch { batch, which, answer } => {
                self.command(Command::Batch { batch, which }, Pending::Batch(answer));
            }
            Request::Batches { limit, answer } => self.command(Command::Batches { limit }, Pending::Batches(answer)),
            Request::Peers { answer: to } => {
                let address = |device| self.peers.address(device).map(ToString::to_string);
                answer(to, Ok(report::peers(self.core.view(), clock::now().mono, address)));
            }
            Request::Explain { task, answer: to } => {
                let view = self.core.view();
                match view.record(task).and_then(|record| report::explain(view, task, record)) {
                    Some(explanation) => answer(to, Ok(explanation)),
                    None => self.command(Command::Read(task), Pending::Explain(to)),
                }
            }
            Request::Plan { specs, answer: to } => {
                let view = self.core.view();
                answer(to, Ok(specs.iter().map(|spec| report::plan(view, spec)).collect()));
            }
            Request::Holder { task, epoch, answer: to } => {
                let record = self.core.view().record(task);
                answer(to, Ok(record.and_then(|record| report::holder(record, epoch))));
            }
            Request::Copies { task, answer: to } => answer(to, Ok(self.copies(task))),
            Request::Home { task, answer: to } => answer(to, Ok(self.core.view().home(task))),
            Request::Ended { ask, answer } => self.ended_part(&ask, answer),
            Request::Status { answer: to } => answer(to, Ok(self.status())),
            Request::Metrics { answer: to } => answer(to, Ok(Box::new(self.metrics()))),
            Request::AlertOver { name, answer: to } => {
                self.disk.delete_cell(&format!("{ALERT_CELL}{name}"));
                answer(to, Ok(()));
            }
            Request::Invite { answer: to } => {
                let ticket = Ticket::new(self.secret.clone(), inviting(&self.listening.borrow()));
                answer(to, Ok(ticket.to_string()));
            }
            Request::Shutdown { answer } => self.begin_stop(Some(answer)),
        }
    }

    fn command(&mut self, command: Command, pending: Pending) {
        let id = self.next_command;
        self.next_command += 1;
        self.pending.insert(id, pending);
        self.feed(Input::Command { id, command });
    }

    fn keeps(&self, task: TaskId) -> bool {
        self.core.view().keeps(task)
    }

    /// Adds a waiter, or tells it at once; gives it back if the task is not kept here.
    fn wait(&mut self, task: TaskId, waiter: Waiter) -> Option<Waiter> {
        let view = self.core.view();
        let Some(record) = view.record(task) else { return Some(waiter) };
        if !record.resolve().is_reportable() {
            self.waiters.add(task, waiter);
            return None;
        }
        match report::kept(view, task, clock::now()) {
            Some(report) => waiter.tell(task, Ok(report)),
            None => return Some(waiter),
        }
        None
    }

    /// A task's end may be reported.
    pub(super) fn tell_waiters(&mut self, task: TaskId) {
        let waiters = self.waiters.take(task);
        if waiters.is_empty() {
            return;
        }
        let report = report::kept(self.core.view(), task, clock::now());
        for waiter in waiters {
            waiter.tell(task, report.clone().ok_or(DriverError::NotFound));
        }
    }

    /// A task's record goes from this device; those who wait have to ask elsewhere.
    pub(super) fn left_here(&mut self, task: TaskId) {
        for waiter in self.waiters.take(task) {
            waiter.tell(task, Err(DriverError::NotFound));
        }
    }

    pub(super) fn status(&self) -> NodeStatus {
        let view = self.core.view();
        let links = self.client.stats().peers;
        NodeStatus {
            id: view.me(),
            name: self.name.clone(),
            incarnation: view.incarnation(),
            synced: view.is_synced(),
            listening: self.listening.borrow().iter().map(ToString::to_string).collect(),
            peers_up: 1 + view.peers().filter(|peer| peer.liveness == Liveness::Up).count(),
            members: view.members().present().count(),
            tasks_open: view.open_tasks(),
            tasks_kept: view.kept_tasks(),
            tasks_resting: view.resting_tasks(),
            running: view.running().count(),
            storage_healthy: view.is_storage_healthy(),
            storage_found: self.disk_found.clone(),
            blocked: blocked(&self.capacity),
            uptime_s: clock::now().mono.since(self.started).as_ms() / 1000,
            disk_syncs: self.disk.syncs(),
            frames_out: links.values().map(|link| link.frames_out).sum(),
            frame_bytes_out: links.values().map(|link| link.bytes_out).sum(),
        }
    }
}

/// Why this device takes no work, in the words in which `explain` says it.
fn blocked(capacity: &Capacity) -> Vec<String> {
    let why = |by| capacity.blocked_why.get(by).cloned().unwrap_or_default();
    capacity.blocked.iter().map(|by| Unmet::Blocked { by: *by, why: why(by) }.to_string()).collect()
}

/// The addresses that mean something to another host; if there are none, those that do on this one.
fn inviting(listening: &[Multiaddr]) -> Vec<Multiaddr> {
    let reach = |address: &&Multiaddr| match address.iter().next() {
        Some(Protocol::Ip4(ip)) => !ip.is_loopback() && !ip.is_link_local(),
        Some(Protocol::Ip6(ip)) => !ip.is_loopback() && !ip.is_unicast_link_local(),
        _ => false,
    };
    let elsewhere: Vec<_> = listening.iter().filter(reach).cloned().collect();
    if elsewhere.is_empty() { listening.to_vec() } else { elsewhere }
}
