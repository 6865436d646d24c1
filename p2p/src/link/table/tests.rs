//! One link per peer, whatever the connections do.

use super::*;

struct Pair {
    low: PeerId,
    high: PeerId,
}

fn pair() -> Pair {
    let (a, b) = (PeerId::random(), PeerId::random());
    Pair { low: a.min(b), high: a.max(b) }
}

fn id(n: usize) -> ConnectionId {
    ConnectionId::new_unchecked(n)
}

fn address() -> Multiaddr {
    "/ip4/127.0.0.1/tcp/1".parse().unwrap()
}

fn start(peer: PeerId, n: usize, stream: u8) -> Action<u8> {
    Action::Start { peer, connection: id(n), address: address(), stream }
}

#[test]
fn the_lower_id_opens_and_the_other_waits() {
    let Pair { low, high } = pair();
    let now = Instant::now();
    let mut opener = Table::<u8>::new(low);
    assert_eq!(
        opener.established(now, high, id(1), false, address()),
        [Action::Open { peer: high, connection: id(1) }]
    );
    assert_eq!(opener.stream(now, high, id(1), false, 7), [start(high, 1, 7)]);
    let mut other = Table::<u8>::new(high);
    assert_eq!(other.established(now, low, id(1), true, address()), []);
    assert_eq!(other.stream(now, low, id(1), true, 7), [start(low, 1, 7)]);
}

#[test]
fn of_a_simultaneous_dial_one_connection_stays() {
    let Pair { low, high } = pair();
    let now = Instant::now();
    let mut opener = Table::<u8>::new(low);
    opener.established(now, high, id(1), false, address());
    assert_eq!(opener.established(now, high, id(2), true, address()), [], "decided when the stream is there");
    assert_eq!(opener.stream(now, high, id(1), false, 7), [Action::Close { connection: id(2) }, start(high, 1, 7)]);
    assert_eq!(
        opener.established(now, high, id(3), true, address()),
        [Action::Close { connection: id(3) }],
        "no flapping"
    );
}

#[test]
fn a_peer_that_comes_back_replaces_its_dead_connection() {
    let Pair { low, high } = pair();
    let now = Instant::now();
    let later = now + SIMULTANEOUS * 2;
    let mut opener = Table::<u8>::new(low);
    opener.established(now, high, id(1), false, address());
    opener.stream(now, high, id(1), false, 7);
    assert_eq!(
        opener.established(later, high, id(2), true, address()),
        [Action::Open { peer: high, connection: id(2) }]
    );
    let actions = opener.stream(later, high, id(2), false, 8);
    assert_eq!(
        actions,
        [Action::Stop { peer: high }, Action::Close { connection: id(1) }],
        "the new one waits for the old one's Down"
    );
    assert_eq!(opener.ended(later, high, id(1)), [start(high, 2, 8)]);
}

#[test]
fn the_newest_accepted_stream_replaces_the_link() {
    let Pair { low, high } = pair();
    let now = Instant::now();
    let mut other = Table::<u8>::new(high);
    other.established(now, low, id(1), true, address());
    other.stream(now, low, id(1), true, 7);
    other.established(now, low, id(2), true, address());
    assert_eq!(other.stream(now, low, id(2), true, 8), [Action::Stop { peer: low }]);
    assert_eq!(other.stream(now, low, id(2), true, 9), [Action::Stop { peer: low }]);
    assert_eq!(
        other.ended(now, low, id(1)),
        [start(low, 2, 9), Action::Close { connection: id(1) }],
        "only the last one"
    );
}

#[test]
fn a_stream_from_the_wrong_side_is_ignored() {
    let Pair { low, high } = pair();
    let now = Instant::now();
    let mut opener = Table::<u8>::new(low);
    opener.established(now, high, id(1), false, address());
    assert_eq!(opener.stream(now, high, id(1), true, 7), []);
}

#[test]
fn a_loss_is_told_once_and_after_the_link_ended() {
    let Pair { low, high } = pair();
    let now = Instant::now();
    let mut opener = Table::<u8>::new(low);
    opener.established(now, high, id(1), false, address());
    opener.stream(now, high, id(1), false, 7);
    assert_eq!(opener.closed(high, id(1)), []);
    assert_eq!(opener.ended(now, high, id(1)), [Action::Lost { peer: high, had_link: true }]);
    assert_eq!(opener.closed(high, id(1)), []);
    assert_eq!(opener.len(), 0);
}

#[test]
fn a_replacement_that_fails_leaves_the_link_alone() {
    let Pair { low, high } = pair();
    let now = Instant::now();
    let mut opener = Table::<u8>::new(low);
    opener.established(now, high, id(1), false, address());
    opener.stream(now, high, id(1), false, 7);
    opener.established(now + SIMULTANEOUS * 2, high, id(2), true, address());
    assert_eq!(opener.failed(high, id(2)), [Action::Close { connection: id(2) }]);
    assert_eq!(
        opener.ended(now, high, id(1)),
        [Action::Close { connection: id(1) }, Action::Lost { peer: high, had_link: true }]
    );
}

#[test]
fn a_link_that_breaks_reopens_on_the_connection_that_is_left() {
    let Pair { low, high } = pair();
    let now = Instant::now();
    let later = now + SIMULTANEOUS * 2;
    let mut opener = Table::<u8>::new(low);
    opener.established(now, high, id(1), false, address());
    opener.stream(now, high, id(1), false, 7);
    opener.established(later, high, id(2), true, address());
    assert_eq!(opener.ended(later, high, id(1)), [Action::Close { connection: id(1) }], "the stream on 2 is under way");
    assert_eq!(opener.stream(later, high, id(2), false, 8), [start(high, 2, 8)]);
}

#[test]
fn reset_drops_everything() {
    let Pair { low, high } = pair();
    let now = Instant::now();
    let mut opener = Table::<u8>::new(low);
    opener.established(now, high, id(1), false, address());
    opener.stream(now, high, id(1), false, 7);
    assert_eq!(opener.reset(high), [Action::Stop { peer: high }, Action::Close { connection: id(1) }]);
    assert_eq!(opener.ended(now, high, id(1)), [Action::Lost { peer: high, had_link: true }]);
    assert_eq!(opener.reset(high), []);
}
