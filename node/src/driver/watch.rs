//! Looks at the device now and then, judges its owner's policy by what it sees, and tells the driver what is news. Takes the owner's
//! orders meanwhile: a sensor that takes seconds to read holds up none of them.

use super::capacity::{Latest, Owner, is_news, smooth};
use super::internet::Internet;
use crate::capabilities::{Capabilities, Sampler};
use crate::clock;
use crate::policy::{Asked, Keeper, PolicyError, Readings};
use rc_scheduler::{Capacity, Mono, OVERLOAD_PPM, Span};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// Between two looks at processor and memory, at the earliest: when the node is awake anyway.
pub(super) const LOOK_EVERY: Span = Span::from_secs(3);
/// At the latest: then the node wakes for it.
pub(super) const LOOK_LATEST: Span = Span::from_secs(6);
/// Every so many of them, at the battery too; at every one while something runs.
const POWER_EVERY: u32 = 5;
/// Every so many of them, at everything.
const SLOW_EVERY: u32 = 10;

/// What the driver is told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(super) capacity: Capacity,
    /// The owner wants what runs given up.
    pub(super) gives_up: bool,
}

/// What the driver and the one who looks share.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// Rung when it is time to look.
    pub(super) bell: Notify,
    /// Something runs: the battery is worth a look each time.
    pub(super) busy: AtomicBool,
    /// Some task of the cluster wants to know who has a way to the Internet.
    pub(super) asks_internet: AtomicBool,
}

/// All that is watched.
pub(crate) struct Watch {
    pub(crate) sampler: Sampler,
    pub(crate) keeper: Keeper,
    pub(crate) owner: Owner,
    pub(crate) latest: Latest,
    pub(crate) look: Arc<Look>,
    pub(crate) internet: Internet,
    pub(crate) asks: mpsc::Receiver<Asked>,
    pub(crate) out: mpsc::Sender<Told>,
}

/// What is put together of it before the node begins.
pub(crate) fn first_look(keeper: &mut Keeper, owner: &Owner, sampler: &Sampler) -> Capacity {
    let now = sampler.capabilities();
    keeper.judge(Readings::of(now), clock::moment(), true);
    let mut capacity = owner.capacity(now);
    // Nothing runs yet.
    let _: bool = keeper.apply(&mut capacity);
    capacity
}

/// Looks whenever it is rung, until nobody listens any more. `told` is what was passed on last.
pub(crate) async fn watch(watch: Watch, told: Capacity) {
    let Watch { sampler, mut keeper, owner, latest, look, mut internet, mut asks, out } = watch;
    let mut known = sampler.capabilities().clone();
    let mut teller = Teller { owner, usage: told.cpu_usage_ppm, loud: false, told, out: out.clone() };
    let mut at_hand = Some(sampler);
    let mut away: Option<JoinHandle<Sampler>> = None;
    let mut round = 0u32;
    loop {
        let again = keeper.again().map(until);
        let news = tokio::select! {
            () = out.closed() => return,
            () = look.bell.notified(), if away.is_none() => {
                let Some(mut sampler) = at_hand.take() else { return };
                round = round.wrapping_add(1);
                let busy = look.busy.load(Ordering::Relaxed);
                let (slow, power) = (round.is_multiple_of(SLOW_EVERY), busy || round.is_multiple_of(POWER_EVERY));
                if slow || power {
                    away = Some(tokio::task::spawn_blocking(move || {
                        sampler.sample_fast();
                        sampler.sample_power(busy);
                        if slow {
                            sampler.sample_slow();
                        }
                        #[cfg(unix)]
                        if slow && !busy {
                            crate::sandbox::give_back_memory();
                        }
                        sampler
                    }));
                    continue;
                }
                // Short enough not to bother another thread with it.
                sampler.sample_fast();
                see(&sampler, &mut known, &internet, &latest);
                // Who takes no work need not know.
                let wanted = look.asks_internet.load(Ordering::Relaxed) && teller.told.blocked.is_empty();
                internet.look(wanted, sampler.capabilities().internet, clock::now().mono);
                at_hand = Some(sampler);
                keeper.judge(Readings::of(&known), clock::moment(), true);
                true
            }
            sampled = back(&mut away), if away.is_some() => {
                away = None;
                let Ok(sampler) = sampled else {
                    tracing::error!("the device is not measured any more");
                    return;
                };
                see(&sampler, &mut known, &internet, &latest);
                at_hand = Some(sampler);
                keeper.judge(Readings::of(&known), clock::moment(), true);
                true
            }
            reached = internet.answered() => {
                internet.note(reached, clock::now().mono);
                known.internet = internet.over(known.internet, clock::now().mono);
                false
            }
            Some((ask, answer)) = asks.recv() => {
                // It may have to be written down.
                let asked = tokio::task::spawn_blocking(move || {
                    let answer = keeper.answer(ask, clock::moment());
                    (keeper, answer)
                });
                let Ok((back, answered)) = asked.await else { return };
                keeper = back;
                let sent = teller.tell(&mut keeper, &known, false).await;
                // Whoever asked may have gone away.
                drop(answer.send(if sent { answered } else { Err(PolicyError::Stopping) }));
                if !sent {
                    return;
                }
                continue;
            }
            () = sleep(again) => {
                keeper.judge_again(clock::moment());
                false
            }
        };
        if !teller.tell(&mut keeper, &known, news).await {
            return;
        }
    }
}

fn see(sampler: &Sampler, known: &mut Capabilities, internet: &Internet, latest: &Latest) {
    known.clone_from(sampler.capabilities());
    known.internet = internet.over(known.internet, clock::now().mono);
    known.clone_into(&mut latest.write().unwrap_or_else(PoisonError::into_inner));
}

async fn back(away: &mut Option<JoinHandle<Sampler>>) -> Result<Sampler, tokio::task::JoinError> {
    match away {
        Some(away) => away.await,
        None => std::future::pending().await,
    }
}

fn until(at: Mono) -> Duration {
    Duration::from_micros(at.since(clock::now().mono).0)
}

async fn sleep(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Passes on what is news.
struct Teller {
    owner: Owner,
    usage: Option<u32>,
    /// The last measurement found the processor too busy.
    loud: bool,
    told: Capacity,
    out: mpsc::Sender<Told>,
}

impl Teller {
    /// `measured`: the use of the processor was just measured. False if nobody listens any more.
    async fn tell(&mut self, keeper: &mut Keeper, known: &Capabilities, measured: bool) -> bool {
        let mut capacity = self.owner.capacity(known);
        if measured {
            self.usage = smooth(self.usage, capacity.cpu_usage_ppm);
        }
        capacity.cpu_usage_ppm = self.usage;
        // The scheduler counts measurements of a processor that has too much to do, so it is told each of them, and the end.
        let was_loud = self.loud;
        if measured {
            self.loud = self.usage.is_some_and(|usage| usage > OVERLOAD_PPM);
        }
        let counts = measured && (was_loud || self.loud);
        let gives_up = keeper.apply(&mut capacity);
        if !gives_up && !counts && !is_news(&self.told, &capacity) {
            return true;
        }
        self.told = capacity.clone();
        self.out.send(Told { capacity, gives_up }).await.is_ok()
    }
}
