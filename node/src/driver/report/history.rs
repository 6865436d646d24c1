//! A task's facts as lines, each after those that it follows from.

use super::super::handle::HistoryRow;
use super::attempts::{is_late, released};
use rc_scheduler::{Close, Closed, DeviceId, Epoch, Fact, Record, State, Term, Verdict};

/// All facts, in causal order as far as they tell.
pub(crate) fn history(record: &Record) -> Vec<HistoryRow> {
    let state = record.resolve();
    let mut facts: Vec<_> = record.facts().collect();
    let rounds = Rounds::of(&facts);
    facts.sort_by_key(|fact| (rounds.place(fact), fact.key()));
    let attempt = |row: HistoryRow| {
        let lease = facts.iter().find_map(|fact| match fact {
            Fact::Leased(lease) if Some(lease.epoch) == row.epoch => Some(lease),
            _ => None,
        });
        HistoryRow { attempt: lease.map(|lease| lease.attempt), ..row }
    };
    facts.iter().map(|fact| attempt(row(fact, &state))).collect()
}

/// Where the rounds of a task begin and end, as far as its facts tell.
struct Rounds {
    /// Of each reopening its round, and the highest lease before it.
    begins: Vec<(u32, Epoch)>,
    /// Of each settlement its round and term.
    ends: Vec<(u32, Term)>,
}

/// The round, the epoch or the end of a term, and what comes first of what is said of one.
type Place = (u32, u64, u8);

impl Rounds {
    fn of(facts: &[&Fact]) -> Self {
        let mut this = Self { begins: Vec::new(), ends: Vec::new() };
        for fact in facts {
            match fact {
                Fact::Reopened(f) => this.begins.push((f.round, f.epoch)),
                Fact::Settled(f) => this.ends.push((f.round, f.term)),
                _ => {}
            }
        }
        this
    }

    /// Leases and their ends go by epoch, and an epoch begins with its term. A settlement follows the leases of its term.
    fn place(&self, fact: &Fact) -> Place {
        let end_of = |term: Term| (u64::from(term) << 32) | u64::from(u32::MAX);
        let round_of = |epoch: Epoch| {
            let before = self.begins.iter().filter(|(_, last)| *last < epoch);
            before.map(|(round, _)| *round).max().unwrap_or(0)
        };
        match fact {
            Fact::Submitted(_) => (0, 0, 0),
            Fact::DepDone(_) => (0, 0, 1),
            Fact::Reopened(f) => (f.round, 0, 0),
            Fact::Leased(f) => (round_of(f.epoch), f.epoch.0, 0),
            Fact::Closed(f) => (round_of(f.epoch), f.epoch.0, 1),
            // Nobody counts when it was asked; it came before the end that it led to.
            Fact::CancelAsked(f) => {
                let terms = self.ends.iter().filter(|(round, _)| *round == f.round).map(|(_, term)| *term);
                (f.round, terms.max().map_or(u64::MAX, end_of), 0)
            }
            Fact::Settled(f) => (f.round, end_of(f.term), 1),
            Fact::Stable(f) => (f.round, end_of(f.term), 2),
            Fact::Unknown { .. } => (u32::MAX, 0, 0),
        }
    }
}

fn row(fact: &Fact, state: &State<'_>) -> HistoryRow {
    let decided = state.settled.and_then(|settled| settled.verdict.epoch());
    let (name, by, epoch, text, superseded): (_, Option<DeviceId>, Option<Epoch>, _, _) = match fact {
        Fact::Submitted(f) => ("submitted", Some(f.by), None, format!("{} bytes of payload", f.payload.len()), false),
        Fact::Leased(f) => {
            let copy = if f.beside.is_some() { "copy beside " } else { "" };
            let text = format!("{copy}attempt {}, score {} ppm", f.attempt, f.score_ppm);
            let runs_beside = decided.is_none() && state.copy == Some(f);
            let winner = decided.or_else(|| state.lease.map(|lease| lease.epoch));
            let superseded = winner.is_some_and(|winner| winner != f.epoch) && !runs_beside;
            ("leased", Some(f.by), Some(f.epoch), text, superseded)
        }
        Fact::Closed(f) => {
            let text = match &f.close {
                Close::Finished(outcome) => match &outcome.error {
                    None => format!("completed in {} ms", outcome.run.as_ms()),
                    Some((class, message)) => format!("{class}: {message}"),
                },
                Close::Released(why) => released(*why).to_owned(),
            };
            ("closed", Some(f.by), Some(f.epoch), text, is_late(f, state))
        }
        Fact::CancelAsked(f) => ("cancel_asked", Some(f.by), None, String::new(), false),
        Fact::Reopened(f) => ("reopened", Some(f.by), None, format!("round {}", f.round), false),
        Fact::DepDone(f) => ("dep_done", Some(f.by), None, format!("{} {}", f.dep, f.status), false),
        Fact::Settled(f) => {
            let text = match &f.verdict {
                Verdict::Failed { class, message, .. } => format!("failed, {class}: {message}"),
                verdict => verdict.status().to_string(),
            };
            ("settled", Some(f.by), f.verdict.epoch(), text, state.settled != Some(f))
        }
        Fact::Stable(f) => ("stable", Some(f.by), None, format!("on {} disks", f.disks), state.stable != Some(f)),
        Fact::Unknown { kind, body } => ("unknown", None, None, format!("kind {kind}, {} bytes", body.len()), false),
    };
    let to = match fact {
        Fact::Leased(lease) => Some(lease.to),
        _ => None,
    };
    let at_wall_ms = match fact {
        Fact::Submitted(f) => Some(f.wall_ms),
        Fact::Closed(Closed { close: Close::Finished(outcome), .. }) => Some(outcome.finished_wall_ms),
        _ => None,
    };
    HistoryRow {
        fact: name,
        at_wall_ms: at_wall_ms.filter(|ms| *ms > 0),
        by,
        to,
        epoch,
        attempt: None,
        text,
        superseded,
    }
}
