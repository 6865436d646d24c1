//! Numbers that stand for messages and effects in the trace hash, and their size as far as budgets need it.

use rc_scheduler::{DeviceId, Effect, Entry, Fact, FactKey, Message, TaskId};

/// Mixes words into one.
#[derive(Clone, Copy, Debug)]
struct Mix(u64);

impl Mix {
    fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }

    fn id(&mut self, id: &[u8; 16]) {
        let value = u128::from_le_bytes(*id);
        self.word(value as u64);
        self.word((value >> 64) as u64);
    }

    fn device(&mut self, id: DeviceId) {
        self.id(&id.0);
    }

    fn key(&mut self, task: TaskId, key: &FactKey) {
        self.id(&task.0);
        match key {
            FactKey::Submitted(d) => self.device(*d),
            FactKey::CancelAsked(d, round) => {
                self.device(*d);
                self.word(u64::from(*round));
            }
            FactKey::Leased(e) => self.word(e.0),
            FactKey::Closed(e, d, i) => {
                self.word(e.0);
                self.device(*d);
                self.word(u64::from(i.boots) << 32 | u64::from(i.wakes));
            }
            FactKey::Reopened(r, d) => {
                self.word(u64::from(*r));
                self.device(*d);
            }
            FactKey::DepDone(t, d) => {
                self.id(&t.0);
                self.device(*d);
            }
            FactKey::Settled(r, t, d, _) | FactKey::Stable(r, t, d) => {
                self.word(u64::from(*r) << 32 | u64::from(*t));
                self.device(*d);
            }
            FactKey::Unknown(kind, hash) => {
                self.word(u64::from(*kind));
                self.id(hash);
            }
        }
    }

    fn facts(&mut self, facts: &[(TaskId, Fact)]) {
        for (task, fact) in facts {
            self.key(*task, &fact.key());
        }
    }
}

/// A number that tells messages apart.
#[must_use]
pub(crate) fn message(message: &Message) -> u64 {
    let mut mix = Mix(0);
    match message {
        Message::Hello(m) => {
            mix.word(1);
            mix.word(u64::from(m.incarnation.boots) << 32 | u64::from(m.incarnation.wakes));
            mix.word(m.members_hash);
        }
        Message::Beat(m) => {
            mix.word(2);
            mix.word(m.number);
            mix.word(m.echo);
            mix.word(m.held_hash);
        }
        Message::Facts(m) => {
            mix.word(3);
            mix.word(m.frame);
            mix.facts(&m.facts);
        }
        Message::Stored(m) => {
            mix.word(4);
            mix.word(m.upto);
        }
        Message::Members(m) => {
            mix.word(5);
            m.iter().for_each(|m| mix.device(m.device));
        }
        Message::Ask(m) => {
            mix.word(6);
            mix.word(m.round);
            mix.word(u64::from(m.term));
        }
        Message::Answer(m) => {
            mix.word(7);
            mix.word(m.round);
            mix.word(u64::from(m.term.0));
            m.heard.iter().for_each(|device| mix.device(*device));
        }
        Message::Record(m) => {
            mix.word(15);
            mix.word(m.sequence);
        }
        Message::Want(m) => {
            mix.word(8);
            mix.word(u64::from(m.count));
        }
        Message::Grant(m) => {
            mix.word(9);
            mix.word(u64::from(m.limit));
        }
        Message::Move(m) => {
            mix.word(24);
            mix.word(u64::from(m.count));
            mix.device(m.to);
        }
        Message::Digest(m) => {
            mix.word(10);
            m.buckets.iter().for_each(|b| mix.word(*b));
        }
        Message::Reply(m) => {
            mix.word(11);
            mix.word(m.id);
            mix.facts(&m.facts);
        }
        Message::Query(m) => {
            mix.word(12);
            mix.word(m.id);
        }
        Message::Live(m) => {
            mix.word(13);
            mix.word(m.epoch.0);
        }
        Message::Resend(_) => mix.word(14),
        Message::Summary(m) => {
            mix.word(16);
            for (task, hash) in &m.entries {
                mix.id(&task.0);
                mix.word(*hash);
            }
        }
        Message::Graves(rows) => {
            mix.word(18);
            rows.iter().for_each(|(by, row)| {
                mix.device(*by);
                mix.word(row.len() as u64);
            });
        }
        Message::Buried(m) => {
            mix.word(19);
            m.tasks.iter().for_each(|(task, _)| mix.id(&task.0));
        }
        Message::Strays(m) => {
            mix.word(20);
            for (task, hash) in &m.entries {
                mix.id(&task.0);
                mix.word(*hash);
            }
        }
        Message::Strayed(m) => {
            mix.word(21);
            m.lack.iter().for_each(|task| mix.id(&task.0));
        }
        Message::BatchReply(m) => {
            mix.word(24);
            mix.word(m.id);
            mix.word(m.tasks.len() as u64);
            m.marks.iter().for_each(|mark| mix.word(u64::from(*mark)));
        }
        Message::Await(m) => {
            mix.word(22);
            m.tasks.iter().for_each(|task| mix.id(&task.0));
        }
        Message::Awaited(m) => {
            mix.word(23);
            m.ended.iter().for_each(|(task, ..)| mix.id(&task.0));
            m.lacking.iter().for_each(|task| mix.id(&task.0));
        }
        Message::Lack(m) => {
            mix.word(17);
            m.tasks.iter().for_each(|task| mix.id(&task.0));
        }
    }
    mix.0
}

/// A number that tells effects apart.
#[must_use]
pub(crate) fn effect(effect: &Effect) -> u64 {
    let mut mix = Mix(1);
    match effect {
        Effect::Persist { upto, entries } => {
            mix.word(*upto);
            for entry in entries {
                match entry {
                    Entry::Fact(task, fact) | Entry::Ended(task, fact, _) => mix.key(*task, &fact.key()),
                    Entry::Forget(task, key) => mix.key(*task, key),
                    Entry::Drop(task) | Entry::Bury(task, _) => mix.id(&task.0),
                    Entry::Graves(by, row) => {
                        mix.device(*by);
                        mix.word(row.len() as u64);
                    }
                    Entry::Clock { ran_s, .. } => mix.word(*ran_s),
                    Entry::Member(m) => mix.device(m.device),
                }
            }
        }
        Effect::Load { task } => mix.id(&task.0),
        Effect::Send { to, message: m } => {
            mix.device(*to);
            mix.word(message(m));
        }
        Effect::Gossip(r) => mix.word(r.sequence),
        Effect::Start(s) => {
            mix.id(&s.task.0);
            mix.word(s.epoch.0);
        }
        Effect::Stop { task, epoch, .. } => {
            mix.id(&task.0);
            mix.word(!epoch.0);
        }
        Effect::Reply { id, .. } => mix.word(*id),
        Effect::Notify(_) => mix.word(7),
    }
    mix.0
}

/// About how many bytes a fact takes.
#[must_use]
pub(crate) fn fact_bytes(fact: &Fact) -> usize {
    match fact {
        Fact::Submitted(f) => 60 + f.spec.len() + f.payload.len(),
        Fact::Closed(f) => match &f.close {
            rc_scheduler::Close::Finished(outcome) => 70 + outcome.body.len(),
            rc_scheduler::Close::Released(_) => 50,
        },
        Fact::DepDone(f) => 50 + f.values.len(),
        Fact::Unknown { body, .. } => 4 + body.len(),
        _ => 60,
    }
}

/// About how many bytes a message takes on the wire.
#[must_use]
pub(crate) fn message_bytes(message: &Message) -> usize {
    let facts = |facts: &[(TaskId, Fact)]| facts.iter().map(|(_, f)| 18 + fact_bytes(f)).sum::<usize>();
    match message {
        Message::Facts(m) => 12 + facts(&m.facts),
        Message::Reply(m) => 12 + facts(&m.facts),
        Message::Members(m) => 8 + 24 * m.len(),
        Message::Digest(m) => 16 + 9 * m.buckets.len(),
        Message::Summary(m) => 40 + m.buckets.len() + 28 * m.entries.len(),
        Message::Lack(m) => 8 + 17 * m.tasks.len(),
        Message::Strays(m) => 8 + 28 * m.entries.len(),
        Message::Strayed(m) => 25 + 17 * m.lack.len(),
        Message::BatchReply(m) => 16 + m.marks.len() + 20 * m.tasks.len() + 22 * m.batches.len(),
        Message::Await(m) => 8 + 17 * m.tasks.len(),
        Message::Awaited(m) => {
            8 + 17 * m.lacking.len() + m.ended.iter().map(|(_, _, body)| 22 + body.len()).sum::<usize>()
        }
        Message::Graves(rows) => 8 + rows.iter().map(|(_, row)| 20 + 12 * row.len()).sum::<usize>(),
        Message::Buried(m) => 8 + 55 * m.tasks.len(),
        _ => 40,
    }
}
