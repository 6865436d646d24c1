//! Tells somebody outside that a task has failed in its last attempt: the event as JSON, sent to an address that the owner of the
//! device chose. Only the device that decided that the task has failed sends it. Never holds anything up: what cannot be sent after a
//! few times is given up, what comes faster than it can be sent is dropped, and both are counted. What waits to be sent is on disk
//! before the end itself is, and is sent by the next life if this one ends before. Knows nothing of that disk.

use crate::api::model::rfc3339;
use rc_scheduler::{Event, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Alerts that wait; more are dropped.
const QUEUE_MAX: usize = 256;
/// Pauses before an alert is sent again; then it is given up.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25)];
/// For one sending.
const SEND_TIME_MAX: Duration = Duration::from_secs(10);

/// A way to the address.
pub(crate) trait Post: Send + Sync {
    /// Sends JSON text; the status of the answer, or why there is none.
    fn post(&self, body: Vec<u8>) -> impl Future<Output = Result<u16, String>> + Send;
}

/// Takes nothing.
#[cfg(not(feature = "http"))]
pub(crate) enum Nobody {}

#[cfg(not(feature = "http"))]
impl Post for Nobody {
    async fn post(&self, _: Vec<u8>) -> Result<u16, String> {
        match *self {}
    }
}

/// That a task has failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alert {
    task: String,
    class: String,
    message: String,
    attempts: u32,
    /// Milliseconds since 1970.
    at_wall_ms: u64,
}

impl Alert {
    /// What an event says, if it says that.
    pub(crate) fn of(event: &Event, at_wall_ms: u64) -> Option<Self> {
        let Event::Alert { task, class, message, attempts } = event else { return None };
        let (task, class, message) = (task.to_string(), class.word().to_owned(), message.clone());
        Some(Self { task, class, message, attempts: *attempts, at_wall_ms })
    }

    /// What tells it from others: a task may fail for good more than once.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.task, self.at_wall_ms)
    }

    /// Which comes first.
    pub(crate) fn by_time(one: &Self, other: &Self) -> std::cmp::Ordering {
        one.at_wall_ms.cmp(&other.at_wall_ms)
    }

    /// As it is kept.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// As it was kept.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Takes alerts; never waits.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    queue: mpsc::Sender<Alert>,
    unsent: Arc<AtomicU64>,
}

impl Outbox {
    /// One that was not opened yet, and what comes out of it.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Alert>) {
        let (queue, queued) = mpsc::channel(QUEUE_MAX);
        (Self { queue, unsent: Arc::default() }, queued)
    }

    /// False: there is no room, and it is dropped.
    pub(crate) fn take(&self, alert: Alert) -> bool {
        let taken = self.queue.try_send(alert).is_ok();
        self.unsent.fetch_add(u64::from(!taken), Ordering::Relaxed);
        taken
    }

    /// Alerts that were dropped or given up.
    pub(crate) fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }

    /// How to count those that are given up.
    pub(crate) fn count(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.unsent)
    }
}

/// Sends what an earlier life left, and then what comes, until the node ends. `trace_id` tells that of a task; `over` hears of each that
/// is sent or given up.
pub(crate) async fn serve<T, O>(
    post: impl Post,
    left: Vec<Alert>,
    mut queued: mpsc::Receiver<Alert>,
    (device, unsent): (String, Arc<AtomicU64>),
    trace_id: impl Fn(TaskId) -> T,
    over: impl Fn(Alert) -> O,
) where
    T: Future<Output = String> + Send,
    O: Future<Output = ()> + Send,
{
    let mut left = left.into_iter();
    loop {
        let alert = match left.next() {
            Some(alert) => alert,
            None => match queued.recv().await {
                Some(alert) => alert,
                None => return,
            },
        };
        let trace_id = match alert.task.parse() {
            Ok(task) => Some(trace_id(task).await),
            Err(_) => None,
        };
        let body = json!({
            "event": "task_failed",
            "task_id": alert.task,
            "trace_id": trace_id,
            "error": {"class": alert.class, "message": alert.message},
            "attempts": alert.attempts,
            "decided_by": device,
            "at": rfc3339(alert.at_wall_ms),
        });
        if !send(&post, body.to_string().into_bytes(), &PAUSES).await {
            unsent.fetch_add(1, Ordering::Relaxed);
        }
        over(alert).await;
    }
}

/// Sends until it is taken, or it was tried often enough; false: nobody took it.
async fn send(post: &impl Post, body: Vec<u8>, pauses: &[Duration]) -> bool {
    let mut pauses = pauses.iter();
    loop {
        let why = match tokio::time::timeout(SEND_TIME_MAX, post.post(body.clone())).await {
            Ok(Ok(200..=299)) => return true,
            Ok(Ok(status)) => format!("status {status}"),
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {} s", SEND_TIME_MAX.as_secs()),
        };
        match pauses.next() {
            Some(pause) => {
                tracing::warn!(why, "an alert was not taken, and is sent again");
                tokio::time::sleep(*pause).await;
            }
            None => {
                tracing::error!(why, "an alert was not taken, and is given up");
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rc_scheduler::ErrorClass;
    use std::sync::{Arc, Mutex};

    /// Takes the second sending of everything.
    #[derive(Clone, Default)]
    struct Second(Arc<Mutex<Vec<serde_json::Value>>>);

    impl Post for Second {
        async fn post(&self, body: Vec<u8>) -> Result<u16, String> {
            let mut sent = self.0.lock().unwrap();
            sent.push(serde_json::from_slice(&body).unwrap());
            Ok(if sent.len().is_multiple_of(2) { 204 } else { 503 })
        }
    }

    fn failed(message: &str) -> Alert {
        let (task, message) = (TaskId([7; 16]), message.to_owned());
        let event = Event::Alert { task, class: ErrorClass::Task, message, attempts: 4 };
        Alert::of(&event, 1_000).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_alert_is_sent_until_it_is_taken_and_what_was_left_comes_first() {
        let (outbox, queued) = Outbox::new();
        let post = Second::default();
        let over = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&over);
        let left = Alert::from_bytes(&failed("left").to_bytes()).unwrap();
        let serving = serve(
            post.clone(),
            vec![left],
            queued,
            ("attic".to_owned(), outbox.count()),
            async |_| "feed".to_owned(),
            move |alert| {
                heard.lock().unwrap().push(alert.message);
                std::future::ready(())
            },
        );
        let serving = tokio::spawn(serving);
        assert!(outbox.take(failed("no \"way\"")));
        assert_eq!(outbox.unsent(), 0);
        drop(outbox);
        serving.await.unwrap();
        let sent = post.0.lock().unwrap();
        assert_eq!(sent.len(), 4, "each twice: {sent:?}");
        assert_eq!((&sent[3]["task_id"], &sent[3]["attempts"]), (&TaskId([7; 16]).to_string().into(), &4.into()));
        assert_eq!(sent[3]["error"], json!({"class": "task_error", "message": "no \"way\""}));
        assert_eq!(*over.lock().unwrap(), ["left", "no \"way\""]);
        assert_eq!(Alert::of(&Event::Settled { task: TaskId([7; 16]) }, 1), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_dropped_and_what_is_given_up_is_counted() {
        let (outbox, queued) = Outbox::new();
        let taken = (0..QUEUE_MAX + 3).filter(|_| outbox.take(failed("x"))).count();
        assert_eq!((taken, outbox.unsent()), (QUEUE_MAX, 3));
        let counted = outbox.clone();
        let count = outbox.count();
        drop(outbox);
        let serving = tokio::spawn(serve(
            Never(Mutex::new(0)),
            Vec::new(),
            queued,
            ("attic".to_owned(), count),
            async |_| String::new(),
            |_| std::future::ready(()),
        ));
        while counted.unsent() < 4 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        serving.abort();
    }

    struct Never(Mutex<u32>);

    impl Post for Never {
        async fn post(&self, _: Vec<u8>) -> Result<u16, String> {
            *self.0.lock().unwrap() += 1;
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_nobody_takes_is_given_up() {
        let never = Never(Mutex::new(0));
        assert!(!send(&never, Vec::new(), &PAUSES).await);
        assert_eq!(*never.0.lock().unwrap(), 4);
    }
}
