//! Whether this device has a way to the Internet: found out only while some task of the cluster wants to know, and then seldom.
//!
//! A route out proves nothing, so an address that is always there is dialled: a TCP handshake, not a byte beyond it. Who answers, and
//! whether that is allowed at all, the owner says. What was found holds for a while; then it is unknown again.

use rc_scheduler::{Mono, Span};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// How long an answer holds.
const HOLDS: Span = Span::from_secs(300);
/// After an answer to go by it is asked again when it ends; after none, so long later, twice as long each time, up to [`PAUSE_MAX`].
const PAUSE_MIN: Span = Span::from_secs(60);
const PAUSE_MAX: Span = Span::from_secs(960);
/// For each address.
const DIAL_TIME_MAX: Duration = Duration::from_secs(4);

/// What is known, and the question that is under way.
#[derive(Debug)]
pub(crate) struct Internet {
    targets: Vec<SocketAddr>,
    asking: Option<JoinHandle<bool>>,
    known: Option<(bool, Mono)>,
    next: Mono,
    pause: Span,
}

impl Internet {
    /// Dials these, one after the other, until one answers; none: never says anything.
    pub(crate) const fn new(targets: Vec<SocketAddr>) -> Self {
        Self { targets, asking: None, known: None, next: Mono(0), pause: PAUSE_MIN }
    }

    /// Asks, if somebody wants to know and it is time. `route`: as the system says whether there is a way out at all.
    pub(crate) fn look(&mut self, wanted: bool, route: Option<bool>, now: Mono) {
        if route == Some(false) {
            // Another network may be the next one.
            (self.known, self.next, self.pause) = (None, now, PAUSE_MIN);
            return;
        }
        if wanted && self.asking.is_none() && now >= self.next && !self.targets.is_empty() {
            self.asking = Some(tokio::spawn(dial(self.targets.clone())));
        }
    }

    /// Waits for the answer; for ever if nothing is asked.
    pub(crate) async fn answered(&mut self) -> bool {
        match &mut self.asking {
            // Who cannot ask has found nothing.
            Some(asking) => asking.await.unwrap_or(false),
            None => std::future::pending().await,
        }
    }

    /// Takes the answer.
    pub(crate) fn note(&mut self, reached: bool, now: Mono) {
        self.asking = None;
        self.known = Some((reached, now + HOLDS));
        if reached {
            (self.next, self.pause) = (now + HOLDS, PAUSE_MIN);
        } else {
            self.next = now + self.pause;
            self.pause = Span(self.pause.0 * 2).min(PAUSE_MAX);
        }
    }

    /// What to tell: what the system says for certain, else what was found and still holds.
    pub(crate) fn over(&self, route: Option<bool>, now: Mono) -> Option<bool> {
        if route == Some(false) {
            return route;
        }
        self.known.filter(|(_, until)| now < *until).map(|(reached, _)| reached)
    }
}

impl Drop for Internet {
    fn drop(&mut self) {
        if let Some(asking) = &self.asking {
            asking.abort();
        }
    }
}

async fn dial(targets: Vec<SocketAddr>) -> bool {
    for target in targets {
        match tokio::time::timeout(DIAL_TIME_MAX, TcpStream::connect(target)).await {
            Ok(Ok(_)) => return true,
            Ok(Err(error)) => tracing::debug!(%target, %error, "no way to the internet by this address"),
            Err(_) => tracing::debug!(%target, "no answer from the internet by this address"),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000)
    }

    #[tokio::test]
    async fn it_is_asked_when_somebody_wants_to_know_and_then_seldom() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut internet = Internet::new(vec![listener.local_addr().unwrap()]);
        internet.look(false, Some(true), at(1));
        assert!(internet.asking.is_none() && internet.over(Some(true), at(1)).is_none(), "nobody wants to know");
        internet.look(true, Some(true), at(2));
        let reached = internet.answered().await;
        internet.note(reached, at(3));
        assert_eq!((reached, internet.over(Some(true), at(4))), (true, Some(true)));
        assert_eq!(internet.over(Some(false), at(4)), Some(false), "what the system says for certain counts");
        internet.look(true, Some(true), at(5));
        assert!(internet.asking.is_none(), "it is known");
        assert_eq!(internet.over(Some(true), at(303)), None, "it was known long ago");
        internet.look(true, Some(true), at(304));
        assert!(internet.asking.is_some());
    }

    #[tokio::test]
    async fn who_does_not_answer_is_asked_ever_less_often() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = taken.local_addr().unwrap();
        drop(taken);
        let mut internet = Internet::new(vec![target]);
        let (mut now, mut asked) = (0, Vec::new());
        while now < 4_000 {
            internet.look(true, None, at(now));
            if internet.asking.is_some() {
                asked.push(now);
                let reached = internet.answered().await;
                internet.note(reached, at(now));
                assert_eq!(internet.over(None, at(now)), Some(false));
            }
            now += 20;
        }
        assert_eq!(asked, [0, 60, 180, 420, 900, 1_860, 2_820, 3_780]);
        internet.look(true, Some(false), at(now));
        internet.look(true, Some(true), at(now));
        assert!(internet.asking.is_some(), "another network is another chance");
    }

    #[tokio::test]
    async fn an_owner_who_says_off_is_asked_for_nothing() {
        let mut internet = Internet::new(Vec::new());
        internet.look(true, Some(true), at(1));
        assert!(internet.asking.is_none());
        assert_eq!(internet.over(Some(true), at(1)), None);
    }
}
