//! How many connections there may be, and who goes when there is no place for one more: of those that ask for nothing (they have said
//! nothing yet, or half of something, or were answered) the one that has done so the longest. So nobody who connects and keeps silent,
//! however often, keeps others out. One that is being answered is never shown out.

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// All connections of a listener.
#[derive(Clone)]
pub(super) struct Visits(Arc<Inner>);

struct Inner {
    places: Arc<Semaphore>,
    quiet: Mutex<Quiet>,
    /// Somebody has become quiet.
    calmed: Notify,
}

/// Those that ask for nothing, by when that began.
#[derive(Default)]
struct Quiet {
    /// The last number given; 0 is nobody's.
    last: u64,
    bells: BTreeMap<u64, Arc<Notify>>,
}

impl Inner {
    /// No code that can panic runs under the lock.
    fn quiet(&self) -> MutexGuard<'_, Quiet> {
        self.quiet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calm(&self, bell: &Arc<Notify>) -> u64 {
        let mut quiet = self.quiet();
        quiet.last += 1;
        let since = quiet.last;
        quiet.bells.insert(since, Arc::clone(bell));
        drop(quiet);
        self.calmed.notify_waiters();
        since
    }

    fn show_one_out(&self) {
        if let Some((_, bell)) = self.quiet().bells.pop_first() {
            bell.notify_one();
        }
    }
}

impl Visits {
    pub(super) fn new(most: usize) -> Self {
        let places = Arc::new(Semaphore::new(most));
        Self(Arc::new(Inner { places, quiet: Mutex::default(), calmed: Notify::new() }))
    }

    /// A place for one more; waits while everybody is being answered.
    pub(super) async fn enter(&self) -> Option<Visit> {
        let inner = &self.0;
        let place = loop {
            if let Ok(place) = Arc::clone(&inner.places).try_acquire_owned() {
                break place;
            }
            let calmed = inner.calmed.notified();
            tokio::pin!(calmed);
            // Heard from here on, so that nobody becomes quiet between the look and the wait.
            calmed.as_mut().enable();
            inner.show_one_out();
            tokio::select! {
                place = Arc::clone(&inner.places).acquire_owned() => break place.ok()?,
                () = calmed => {}
            }
        };
        let bell = Arc::new(Notify::new());
        let since = AtomicU64::new(inner.calm(&bell));
        Some(Visit { visits: self.clone(), bell, since, _place: place })
    }
}

/// One connection, which has a place as long as this lives.
pub(super) struct Visit {
    visits: Visits,
    bell: Arc<Notify>,
    /// Its number among those that are quiet; 0 while it is being answered.
    since: AtomicU64,
    _place: OwnedSemaphorePermit,
}

impl Visit {
    /// Somebody else needs its place.
    pub(super) async fn shown_out(&self) {
        self.bell.notified().await;
    }

    /// It is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.since.load(Ordering::Relaxed) == 0
    }

    /// A request has come.
    pub(super) fn begin(visit: &Arc<Self>) -> Busy {
        let since = visit.since.swap(0, Ordering::Relaxed);
        visit.visits.0.quiet().bells.remove(&since);
        Busy(Arc::clone(visit))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.visits.0.quiet().bells.remove(self.since.get_mut());
    }
}

/// A request that is being answered, until the last of the answer was taken.
pub(super) struct Busy(Arc<Visit>);

impl Busy {
    /// The answer's body, to which this belongs from here on.
    pub(super) const fn until_sent(self, body: Body) -> Answer {
        Answer { body, _busy: self }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let since = self.0.visits.0.calm(&self.0.bell);
        self.0.since.store(since, Ordering::Relaxed);
    }
}

/// A body that is being sent.
pub(super) struct Answer {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn the_longest_quiet_goes_and_nobody_who_is_answered() {
        let visits = Visits::new(3);
        let first = Arc::new(visits.enter().await.unwrap());
        let second = visits.enter().await.unwrap();
        let third = Arc::new(visits.enter().await.unwrap());
        let answered = Visit::begin(&first);
        let waits = visits.enter();
        tokio::pin!(waits);
        assert!(waits.as_mut().now_or_never().is_none(), "the second was told, and has not gone yet");
        assert!(second.shown_out().now_or_never().is_some() && third.shown_out().now_or_never().is_none());
        drop(second);
        let fourth = waits.await.unwrap();
        // The first was answered last: the third has been quiet for longer.
        drop(answered);
        assert!(!first.is_busy() && visits.enter().now_or_never().is_none());
        assert!(third.shown_out().now_or_never().is_some() && first.shown_out().now_or_never().is_none());
        let (answered, again) = (Visit::begin(&first), Visit::begin(&third));
        drop(fourth);
        let fifth = Arc::new(visits.enter().await.unwrap());
        let busy = Visit::begin(&fifth);
        let waits = visits.enter();
        tokio::pin!(waits);
        assert!(waits.as_mut().now_or_never().is_none(), "everybody is being answered");
        drop(busy.until_sent(Body::empty()));
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(fifth.shown_out().now_or_never().is_some(), "whoever was answered makes room");
        drop((answered, again));
    }
}
