//! What is tried when, and what is said about it.

use super::*;

fn address(n: u8) -> Multiaddr {
    format!("/ip4/10.0.0.{n}/tcp/4001").parse().unwrap()
}

fn table() -> (Reachability, PeerId, Instant) {
    (Reachability::new(PeerId::random(), Limits::default()), PeerId::random(), Instant::now())
}

fn tried(reach: &mut Reachability, now: Instant) -> Option<Vec<Multiaddr>> {
    reach.poll(now).map(|attempt| attempt.addresses)
}

/// A peer that was connected through address 1 and also claims address 2, and is lost now.
fn lost_peer() -> (Reachability, PeerId, Instant) {
    let (mut reach, peer, now) = table();
    reach.connected(peer, Some(address(1)), now);
    reach.linked(peer);
    reach.learn(peer, address(2), Source::Hearsay, now);
    reach.lost(peer, true, now);
    (reach, peer, now)
}

#[test]
fn a_refusal_at_the_proven_address_is_a_verdict_at_once() {
    let (mut reach, peer, now) = lost_peer();
    assert_eq!(tried(&mut reach, now), Some(vec![address(1)]), "the proven one alone");
    assert_eq!(reach.failed(peer, &Outcome::Refused, now), Some(Verdict::Refused));
    assert_eq!(tried(&mut reach, now), Some(vec![address(2)]), "the rest follows without a pause");
    assert_eq!(reach.failed(peer, &Outcome::Unreachable, now), None, "and cannot take the verdict back");
    assert_eq!(tried(&mut reach, now), None);
}

#[test]
fn a_timeout_never_proves_death() {
    let (mut reach, peer, now) = lost_peer();
    tried(&mut reach, now);
    assert_eq!(reach.failed(peer, &Outcome::Unreachable, now), None, "the rest may still answer");
    tried(&mut reach, now);
    assert_eq!(
        reach.failed(peer, &Outcome::Refused, now),
        Some(Verdict::Unreachable),
        "a refusal at an unproven address is no proof"
    );
}

#[test]
fn a_verdict_is_told_once_until_it_changes() {
    let (mut reach, peer, mut now) = table();
    reach.expect(peer, now);
    reach.learn(peer, address(1), Source::Saved, now);
    let mut told = Vec::new();
    for outcome in [Outcome::Refused, Outcome::Refused, Outcome::Unreachable, Outcome::Refused] {
        now += Duration::from_secs(60);
        assert!(reach.poll(now).is_some());
        told.push(reach.failed(peer, &outcome, now));
    }
    assert_eq!(told, [Some(Verdict::Refused), None, Some(Verdict::Unreachable), Some(Verdict::Refused)]);
}

#[test]
fn nobody_asked_about_strangers_and_they_are_forgotten() {
    let (mut reach, peer, mut now) = table();
    reach.learn(peer, address(1), Source::Sighting, now);
    for _ in 0..=STRANGER_FAILURES_MAX {
        now += Duration::from_secs(60);
        assert!(reach.poll(now).is_some());
        assert_eq!(reach.failed(peer, &Outcome::Refused, now), None);
    }
    assert_eq!(reach.deadline(), None);
}

#[test]
fn pauses_double_up_to_a_bound_and_a_sighting_ends_them() {
    let (mut reach, peer, start) = table();
    reach.expect(peer, start);
    reach.learn(peer, address(1), Source::Saved, start);
    let mut now = start;
    let mut pauses = Vec::new();
    for _ in 0..PATIENCE + 2 {
        let due = reach.deadline().unwrap();
        pauses.push((due - now).as_millis());
        now = due;
        assert!(reach.poll(now).is_some());
        reach.failed(peer, &Outcome::Unreachable, now);
    }
    assert_eq!(pauses[..8], [0, 200, 400, 800, 1600, 3200, 5000, 5000]);
    assert_eq!(pauses.last(), Some(&30_000));
    reach.learn(peer, address(1), Source::Sighting, now);
    assert!(reach.deadline().unwrap() <= now + STAGGER);
}

#[test]
fn an_outsider_is_left_alone_for_minutes() {
    let (mut reach, peer, now) = table();
    reach.learn(peer, address(1), Source::Sighting, now);
    let now = now + STAGGER;
    assert!(reach.poll(now).is_some());
    assert_eq!(reach.failed(peer, &Outcome::NotAMember, now), None);
    assert_eq!(reach.deadline(), Some(now + Limits::default().foreign_pause));
}

#[test]
fn an_address_of_somebody_else_is_dropped() {
    let (mut reach, peer, now) = table();
    reach.learn(peer, address(1), Source::Saved, now);
    reach.learn(peer, address(2), Source::Saved, now);
    assert_eq!(tried(&mut reach, now).map(|a| a.len()), Some(2));
    reach.failed(peer, &Outcome::SomebodyElse(address(1)), now);
    assert_eq!(tried(&mut reach, now), Some(vec![address(2)]));
}

#[test]
fn tables_are_bounded() {
    let (mut reach, peer, now) = table();
    for n in 0..20 {
        reach.learn(peer, address(n), Source::Hearsay, now);
    }
    assert_eq!(reach.addresses(&peer).len(), Limits::default().addresses_per_peer_max);
    for n in 0..2000u32 {
        reach.learn(PeerId::random(), address((n % 200) as u8), Source::Sighting, now);
    }
    assert_eq!(reach.peers.len(), Limits::default().peers_max);
}

#[test]
fn a_connection_ends_the_attempts() {
    let (mut reach, peer, now) = lost_peer();
    assert!(reach.poll(now).is_some());
    reach.connected(peer, None, now);
    assert_eq!(reach.failed(peer, &Outcome::Refused, now), None, "the attempt was overtaken");
    assert_eq!(reach.deadline(), None);
}

#[test]
fn a_process_that_is_just_dying_gets_a_moment_to_do_so() {
    let (mut reach, peer, mut now) = lost_peer();
    for _ in 0..2 {
        assert_eq!(tried(&mut reach, now), Some(vec![address(1)]));
        assert_eq!(reach.failed(peer, &Outcome::HungUp, now), None);
        assert_eq!(tried(&mut reach, now), None);
        now += Duration::from_millis(10);
    }
    assert_eq!(tried(&mut reach, now), Some(vec![address(1)]));
    assert_eq!(reach.failed(peer, &Outcome::Refused, now), Some(Verdict::Refused));
}

#[test]
fn a_host_that_only_hangs_up_is_unreachable() {
    let (mut reach, peer, mut now) = table();
    reach.expect(peer, now);
    reach.learn(peer, address(1), Source::Saved, now);
    let mut verdict = None;
    for _ in 0..=HANG_UPS_MAX {
        assert_eq!(verdict, None);
        now += Duration::from_secs(1);
        assert!(reach.poll(now).is_some());
        verdict = reach.failed(peer, &Outcome::HungUp, now);
    }
    assert_eq!(verdict, Some(Verdict::Unreachable));
}
