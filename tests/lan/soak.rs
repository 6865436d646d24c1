//! Six devices, clients that submit all the time, and every few seconds something that goes wrong. In the end nothing is lost and all
//! agree.
//!
//! `RC_SOAK_SECONDS` and `RC_SOAK_SEED` choose how long and which faults; the seed is printed. It repeats the faults and their times,
//! though not what the machine makes of them.

mod clients;
mod faults;
mod plan;
mod verdict;

use crate::lan::{Lan, note};
use crate::soak::clients::Clients;
use crate::soak::faults::World;
use crate::soak::plan::{HOSTS, Random, plan};
use std::fs;
use std::time::{Duration, Instant, SystemTime};

/// How long things go wrong if nobody says otherwise.
const SECONDS: u64 = 65;
const SUBMITTERS: usize = 3;
const ASKERS: usize = 3;
/// From the end of all faults until all see all: a device may just have started.
const HEALED: Duration = Duration::from_secs(60);

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn whatever_fails_in_a_soak_nothing_is_lost_and_all_agree() {
    let length = Duration::from_secs(number("RC_SOAK_SECONDS").unwrap_or(SECONDS));
    let by_time = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let seed = number("RC_SOAK_SEED").unwrap_or_else(by_time);
    let Some((lan, place)) = Lan::with_commands(HOSTS) else { return };
    note(&format!("RC_SOAK_SEED={seed} RC_SOAK_SECONDS={}", length.as_secs()));
    let starts = place.path().join("all/starts");
    let apis: Vec<_> = (0..HOSTS).map(|host| lan.api(host)).collect();
    let clients = Clients::new(apis.clone(), &starts);
    let mut random = Random::new(seed);
    let steps = plan(&mut random, length);
    let mut world = World::new(lan);

    let healed = std::thread::scope(|scope| {
        for _ in 0..SUBMITTERS {
            let random = Random::new(random.next());
            scope.spawn(|| clients.submit_steadily(random));
        }
        for _ in 0..ASKERS {
            let random = Random::new(random.next());
            scope.spawn(|| clients.ask_steadily(random));
        }
        let began = Instant::now();
        let mut next = steps.iter().peekable();
        while began.elapsed() < length {
            if let Some(step) = next.next_if(|step| step.at <= began.elapsed()) {
                world.apply(&step.fault);
            }
            world.tick(Instant::now());
            std::thread::sleep(Duration::from_millis(20));
        }
        clients.finish();
        world.heal();
        Instant::now()
    });
    let World { mut lan, past, .. } = world;
    lan.devices.iter_mut().for_each(crate::device::Device::ready);
    lan.see_each_other(&(0..HOSTS).collect::<Vec<_>>(), HEALED);
    let met = healed.elapsed();

    let ledger = clients.ledger();
    let ids = verdict::listed(&apis).into_iter().chain(ledger.accepted.keys().cloned()).collect();
    let (agreed, open) = verdict::agree(&apis, &ids);
    let settled = healed.elapsed();
    let (mut wrong, changed) = verdict::check(&ledger, &agreed, &past);
    wrong.extend(open);
    let runs = verdict::runs(&agreed, &fs::read_to_string(&starts).unwrap_or_default());
    let keyed = |id: &&String| ledger.accepted[*id].side_effects;
    note(&format!(
        "{} faults; {} tasks accepted ({} with side effects), {} submissions repeated, {} unanswered, refused: {:?}; {} tasks known",
        steps.len(),
        ledger.accepted.len(),
        ledger.accepted.keys().filter(keyed).count(),
        ledger.repeated,
        ledger.unanswered,
        ledger.refused,
        ids.len(),
    ));
    note(&format!(
        "{} answers with an end of {} tasks, {changed} ends changed by a split; after the last fault all see all in {met:?}, and \
         have said that they agree in {settled:?}",
        ledger.answers,
        ledger.told.len() - changed,
    ));
    note(&format!("{runs:?}"));
    if !wrong.is_empty() {
        panic!("RC_SOAK_SEED={seed}: {} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}
