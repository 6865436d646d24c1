//! Finds attempts whose handler blocks its thread and therefore never sees that its time is up.
//!
//! Well-behaved attempts end themselves; this is for the others. Sleeps while nothing runs, so an idle node stays idle.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Inner;

/// How often to look while something runs. Coarse: it only serves handlers that are already seconds late.
const INTERVAL: Duration = Duration::from_millis(500);

pub(super) async fn watch(executor: Weak<Inner>, wake: Arc<Notify>) {
    loop {
        wake.notified().await;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let Some(inner) = executor.upgrade() else {
                return;
            };
            let Some(overdue) = inner.overdue(Instant::now()) else {
                break;
            };
            for run in overdue {
                let trace_id = run.trace_id();
                tracing::warn!(task = run.key().0, trace_id, "left behind a task that does not end");
                inner.finish(&run, run.outcome(None)).await;
            }
        }
    }
}
