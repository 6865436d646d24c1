//! Short names for people: devices `d0 d1 …`, tasks `t0 t1 …`, and one-line summaries of inputs and effects.

use rc_scheduler::{
    AttemptEvent, Close, Command, DeviceId, Effect, Entry, Event, Fact, FactKey, Input, Message, Reply, TaskId, Verdict,
};
use std::collections::BTreeMap;

/// Who is called what.
#[derive(Clone, Debug, Default)]
pub struct Names {
    devices: BTreeMap<DeviceId, usize>,
    tasks: BTreeMap<TaskId, usize>,
}

impl Names {
    /// Names a device.
    pub fn device(&mut self, id: DeviceId, index: usize) {
        self.devices.insert(id, index);
    }

    /// Names a task.
    pub fn task(&mut self, id: TaskId, index: usize) {
        self.tasks.insert(id, index);
    }

    /// The device's index.
    #[must_use]
    pub fn index(&self, id: DeviceId) -> Option<usize> {
        self.devices.get(&id).copied()
    }

    /// The index of the task's script.
    #[must_use]
    pub fn script(&self, id: TaskId) -> Option<usize> {
        self.tasks.get(&id).copied()
    }

    /// How many tasks have a name.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// `d3`.
    #[must_use]
    pub fn d(&self, id: DeviceId) -> String {
        self.index(id).map_or_else(|| id.to_string(), |index| format!("d{index}"))
    }

    /// `t12`, with the end of the id, for a script can have more than one task.
    #[must_use]
    pub fn t(&self, id: TaskId) -> String {
        let text = id.to_string();
        self.script(id).map_or_else(|| text.clone(), |index| format!("t{index}"))
    }

    /// A fact in a few words.
    #[must_use]
    pub fn fact(&self, task: TaskId, fact: &Fact) -> String {
        let t = self.t(task);
        match fact {
            Fact::Submitted(f) => format!("{t}:Submitted#{}@{}", f.number, self.d(f.by)),
            Fact::Leased(f) => format!(
                "{t}:Leased({})a{}→{}@{}by{}@{}",
                f.epoch,
                f.attempt,
                self.d(f.to),
                f.to_inc,
                self.d(f.by),
                f.by_inc
            ),
            Fact::Closed(f) => {
                let how = match &f.close {
                    Close::Finished(outcome) => match &outcome.error {
                        None => "ok".to_owned(),
                        Some((class, _)) => class.to_string(),
                    },
                    Close::Released(why) => format!("{why:?}"),
                };
                format!("{t}:Closed({},{how})@{}@{}", f.epoch, self.d(f.by), f.by_inc)
            }
            Fact::CancelAsked(f) => format!("{t}:CancelAsked(r{})@{}", f.round, self.d(f.by)),
            Fact::Reopened(f) => format!("{t}:Reopened(r{} term {})@{}", f.round, f.settled_term, self.d(f.by)),
            Fact::DepDone(f) => format!("{t}:DepDone({} {})@{}", self.t(f.dep), f.status, self.d(f.by)),
            Fact::Settled(f) => {
                let verdict = match &f.verdict {
                    Verdict::Result(epoch) => format!("Result({epoch})"),
                    Verdict::Failed { class, .. } => format!("Failed({class})"),
                    Verdict::Cancelled => "Cancelled".to_owned(),
                    Verdict::Timeout(epoch) => format!("Timeout({epoch})"),
                };
                format!("{t}:Settled(r{} term {} {verdict})@{}@{}", f.round, f.term, self.d(f.by), f.by_inc)
            }
            Fact::Stable(f) => format!("{t}:Stable(r{} term {} disks {})@{}", f.round, f.term, f.disks, self.d(f.by)),
            Fact::Unknown { kind, .. } => format!("{t}:Unknown({kind})"),
        }
    }

    fn facts(&self, facts: &[(TaskId, Fact)]) -> String {
        let all: Vec<_> = facts.iter().map(|(task, fact)| self.fact(*task, fact)).collect();
        all.join(" ")
    }

    fn key(&self, key: &FactKey) -> String {
        let text = format!("{key:?}");
        self.devices.iter().fold(text, |text, (id, index)| text.replace(&id.to_string(), &format!("d{index}")))
    }

    /// A message in a line.
    #[must_use]
    pub fn message(&self, message: &Message) -> String {
        match message {
            Message::Facts(m) => format!("Facts#{} [{}]", m.frame, self.facts(&m.facts)),
            Message::Stored(m) => format!("Stored≤{}", m.upto),
            Message::Hello(m) => format!(
                "Hello {} given_up {} known {}{} members {:04x}",
                m.incarnation,
                m.given_up.map_or_else(|| "-".to_owned(), |i| i.to_string()),
                m.known.map_or_else(|| "-".to_owned(), |i| i.to_string()),
                if m.reply { " reply!" } else { "" },
                m.members_hash & 0xffff
            ),
            Message::Beat(m) => format!(
                "Beat#{} {} echo {}{}{}{}{} held {}:{:04x}",
                m.number,
                m.incarnation,
                m.echo,
                if m.reply { " reply" } else { "" },
                if m.guard { " guard" } else { "" },
                if m.take { " take" } else { "" },
                if m.synced { " synced" } else { "" },
                m.held,
                m.held_hash & 0xffff
            ),
            Message::Ask(m) => {
                let lost: Vec<_> = m.lost.iter().map(|(d, i)| format!("{}@{i}", self.d(*d))).collect();
                format!("Ask r{} lost [{}] term {}", m.round, lost.join(" "), m.term)
            }
            Message::Answer(m) => {
                let heard: Vec<_> = m.heard.iter().map(|d| self.d(*d)).collect();
                format!("Answer r{} hears [{}] term {}", m.round, heard.join(" "), m.term.0)
            }
            Message::Want(m) => format!("Want {} {}", m.count, m.priority),
            Message::Grant(m) => format!("Grant {}", m.limit),
            Message::Move(m) => format!("Move {} to {}", m.count, self.d(m.to)),
            Message::Members(m) => {
                let all: Vec<_> = m.iter().map(|m| self.d(m.device)).collect();
                format!("Members [{}]", all.join(" "))
            }
            Message::Digest(m) => format!(
                "Digest members {:04x} {} buckets{}",
                m.members_hash & 0xffff,
                m.buckets.len(),
                if m.reply { " reply!" } else { "" }
            ),
            Message::Summary(m) => {
                let all: Vec<_> =
                    m.entries.iter().map(|(t, hash)| format!("{}:{:04x}", self.t(*t), hash & 0xffff)).collect();
                format!("Summary of {} buckets [{}]", m.buckets.len(), all.join(" "))
            }
            Message::Graves(rows) => {
                let all: Vec<_> = rows.iter().map(|(by, row)| format!("{} {row:?}", self.d(*by))).collect();
                format!("Graves [{}]", all.join(" "))
            }
            Message::Buried(m) => {
                let all: Vec<_> = m.tasks.iter().map(|(t, _)| self.t(*t)).collect();
                format!("Buried [{}]", all.join(" "))
            }
            Message::Strays(m) => {
                let all: Vec<_> =
                    m.entries.iter().map(|(t, hash)| format!("{}:{:04x}", self.t(*t), hash & 0xffff)).collect();
                format!("Strays [{}]", all.join(" "))
            }
            Message::Strayed(m) => {
                let all: Vec<_> = m.lack.iter().map(|t| self.t(*t)).collect();
                format!("Strayed, lacks [{}]", all.join(" "))
            }
            Message::Await(m) => {
                let all: Vec<_> = m.tasks.iter().map(|t| self.t(*t)).collect();
                format!("Await [{}]", all.join(" "))
            }
            Message::Awaited(m) => {
                let ended: Vec<_> = m.ended.iter().map(|(t, status, _)| format!("{} {status}", self.t(*t))).collect();
                let lacking: Vec<_> = m.lacking.iter().map(|t| self.t(*t)).collect();
                format!("Awaited [{}], lacks [{}]", ended.join(" "), lacking.join(" "))
            }
            Message::Lack(m) => {
                let all: Vec<_> = m.tasks.iter().map(|t| self.t(*t)).collect();
                format!("Lack [{}]", all.join(" "))
            }
            Message::Reply(m) => {
                format!("QueryReply {} [{}]{}", m.id, self.facts(&m.facts), if m.more { " more" } else { "" })
            }
            Message::Live(m) => {
                format!("Live {} {} started {:?} {:?}", self.t(m.task), m.epoch, m.started_wall_ms, m.percent)
            }
            other => format!("{other:?}"),
        }
    }

    /// An input in a line.
    #[must_use]
    pub fn input(&self, input: &Input) -> String {
        match input {
            Input::Tick => "Tick".to_owned(),
            Input::PeerUp(d) => format!("PeerUp {}", self.d(*d)),
            Input::PeerDown(d) => format!("PeerDown {}", self.d(*d)),
            Input::PeerRefused(d) => format!("PeerRefused {}", self.d(*d)),
            Input::Message { from, message } => {
                format!("{} says {}", self.d(*from), self.message(message))
            }
            Input::Device(r) => format!(
                "gossip {}@{} seq {} active {} queued {}",
                self.d(r.device),
                r.incarnation,
                r.sequence,
                r.active_tasks,
                r.queued_tasks
            ),
            Input::Command { id, command } => match command {
                Command::Submit { tasks, disks } => {
                    let all: Vec<_> = tasks.iter().map(|t| String::from_utf8_lossy(&t.payload).into_owned()).collect();
                    format!("command {id} Submit {} disks {disks:?}", all.join(" "))
                }
                Command::Cancel(t) => format!("command {id} Cancel {}", self.t(*t)),
                Command::Read(t) => format!("command {id} Read {}", self.t(*t)),
                other => format!("command {id} {other:?}"),
            },
            Input::Attempt { task, epoch, event } => {
                let event = match event {
                    AttemptEvent::Started => "Started".to_owned(),
                    AttemptEvent::Progress { .. } => "Progress".to_owned(),
                    AttemptEvent::Ended(outcome) => match &outcome.error {
                        None => "Ended ok".to_owned(),
                        Some((class, _)) => format!("Ended {class}"),
                    },
                };
                format!("attempt {} {epoch} {event}", self.t(*task))
            }
            Input::Capacity(c) => {
                format!("Capacity slots {} cpu {:?} blocked {:?}", c.max_concurrent_tasks, c.cpu_usage_ppm, c.blocked)
            }
            Input::GiveUp => "GiveUp".to_owned(),
            Input::Loaded { task, facts } => {
                format!(
                    "Loaded {} [{}]",
                    self.t(*task),
                    facts.iter().map(|f| self.fact(*task, f)).collect::<Vec<_>>().join(" ")
                )
            }
            Input::Persisted { upto } => format!("Persisted≤{upto}"),
            Input::Storage { healthy } => format!("Storage healthy {healthy}"),
        }
    }

    /// An effect in a line.
    #[must_use]
    pub fn effect(&self, effect: &Effect) -> String {
        match effect {
            Effect::Persist { upto, entries } => {
                let all: Vec<_> = entries
                    .iter()
                    .map(|entry| match entry {
                        Entry::Fact(task, fact) | Entry::Ended(task, fact, _) => self.fact(*task, fact),
                        Entry::Bury(task, _) => format!("bury {}", self.t(*task)),
                        Entry::Graves(by, row) => format!("graves of {} {row:?}", self.d(*by)),
                        Entry::Clock { ran_s, series } => format!("clock {ran_s} series {series:x}"),
                        Entry::Forget(task, key) => {
                            format!("forget {} {}", self.t(*task), self.key(key))
                        }
                        Entry::Drop(task) => format!("drop {}", self.t(*task)),
                        Entry::Member(m) => format!("member {}", self.d(m.device)),
                    })
                    .collect();
                format!("Persist#{upto} [{}]", all.join(" "))
            }
            Effect::Load { task } => format!("Load {}", self.t(*task)),
            Effect::Send { to, message } => format!("→{} {}", self.d(*to), self.message(message)),
            Effect::Gossip(r) => {
                format!("Gossip seq {} active {} queued {}", r.sequence, r.active_tasks, r.queued_tasks)
            }
            Effect::Start(s) => format!("START {} {} a{}", self.t(s.task), s.epoch, s.attempt),
            Effect::Stop { task, epoch, why } => format!("STOP {} {epoch} {why:?}", self.t(*task)),
            Effect::Reply { id, reply } => match reply {
                Reply::Accepted { tasks, disks } => {
                    let tasks: Vec<_> = tasks.iter().map(|t| self.t(*t)).collect();
                    let disks: Vec<_> = disks.iter().map(|d| self.d(*d)).collect();
                    format!("Reply {id} Accepted [{}] on [{}]", tasks.join(" "), disks.join(" "))
                }
                Reply::Status(t, status) => format!("Reply {id} {} {status}", self.t(*t)),
                Reply::Found { task, facts } => {
                    let all: Vec<_> = facts.iter().map(|f| self.fact(*task, f)).collect();
                    format!("Reply {id} Found [{}]", all.join(" "))
                }
                Reply::Unknown(silent) => {
                    let all: Vec<_> = silent.iter().map(|d| self.d(*d)).collect();
                    format!("Reply {id} Unknown [{}]", all.join(" "))
                }
                other => format!("Reply {id} {other:?}"),
            },
            Effect::Notify(event) => match event {
                Event::Submitted { task } => format!("Event Submitted {}", self.t(*task)),
                Event::Leased { task, epoch, to } => {
                    format!("Event Leased {} {epoch} to {}", self.t(*task), self.d(*to))
                }
                Event::Started { task, epoch } => {
                    format!("Event Started {} {epoch}", self.t(*task))
                }
                Event::Closed { task, epoch } => format!("Event Closed {} {epoch}", self.t(*task)),
                Event::Settled { task } => format!("Event SETTLED {}", self.t(*task)),
                Event::PeerHeard { device, incarnation } => {
                    format!("Event PeerHeard {}@{incarnation}", self.d(*device))
                }
                Event::PeerLost { device, proven } => {
                    format!("Event PEERLOST {} proven {proven}", self.d(*device))
                }
                other => format!("Event {other:?}"),
            },
        }
    }
}
