//! Tells somebody outside that a task has failed in its last attempt: the event as JSON, sent to an address that the owner of the
//! device chose. Only the device that decided that the task has failed sends it. Never holds anything up: what cannot be sent after a
//! few times is given up, and what comes faster than it can be sent is dropped and counted.

use crate::api::model::rfc3339;
use crate::clock;
use rc_scheduler::{Event, TaskId};
use serde_json::json;
use std::future::Future;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};

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

/// Sends alerts until the node ends; `trace_id` tells that of a task.
pub(crate) async fn serve<T>(
    post: impl Post,
    mut news: broadcast::Receiver<Event>,
    device: String,
    trace_id: impl Fn(TaskId) -> T,
) where
    T: Future<Output = String> + Send,
{
    loop {
        let (task, class, message, attempts) = match news.recv().await {
            Ok(Event::Alert { task, class, message, attempts }) => (task, class, message, attempts),
            Ok(_) => continue,
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "alerts may be among the events that came too fast");
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        let body = json!({
            "event": "task_failed",
            "task_id": task.to_string(),
            "trace_id": trace_id(task).await,
            "error": {"class": class.word(), "message": message},
            "attempts": attempts,
            "decided_by": device,
            "at": rfc3339(clock::now().wall_ms),
        });
        send(&post, body.to_string().into_bytes(), &PAUSES).await;
    }
}

/// Sends until it is taken, or it was tried often enough.
async fn send(post: &impl Post, body: Vec<u8>, pauses: &[Duration]) {
    let mut pauses = pauses.iter();
    loop {
        let why = match tokio::time::timeout(SEND_TIME_MAX, post.post(body.clone())).await {
            Ok(Ok(200..=299)) => return,
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
                return;
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

    #[tokio::test(start_paused = true)]
    async fn an_alert_is_sent_until_it_is_taken_and_other_events_are_not() {
        let (news, heard) = broadcast::channel(8);
        let post = Second::default();
        let serving = tokio::spawn(serve(post.clone(), heard, "attic".to_owned(), async |_| "feed".to_owned()));
        let task = TaskId([7; 16]);
        news.send(Event::Settled { task }).unwrap();
        let message = "no \"way\"".to_owned();
        news.send(Event::Alert { task, class: ErrorClass::Task, message, attempts: 4 }).unwrap();
        drop(news);
        serving.await.unwrap();
        let sent = post.0.lock().unwrap();
        assert_eq!(sent.len(), 2, "{sent:?}");
        assert_eq!((&sent[1]["task_id"], &sent[1]["attempts"]), (&task.to_string().into(), &4.into()));
        assert_eq!(sent[1]["error"], json!({"class": "task_error", "message": "no \"way\""}));
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
        send(&never, Vec::new(), &PAUSES).await;
        assert_eq!(*never.0.lock().unwrap(), 4);
    }
}
