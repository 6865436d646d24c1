//! `sleep`: waits. The task to try cancelling, draining and time limits with.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::payload::missing;
use super::{Fields, TaskContext, TaskError, TaskHandler};

/// A year. Longer is a mistake of units rather than a wish.
const SLEEP_SECONDS_MAX: f64 = 31_536_000.0;

/// The handler of `sleep`.
#[derive(Debug, Default)]
pub struct Sleep;

#[async_trait]
impl TaskHandler for Sleep {
    fn task_type(&self) -> &str {
        "sleep"
    }

    fn side_effects(&self) -> bool {
        false
    }

    fn runs_inline(&self) -> bool {
        true
    }

    async fn execute(&self, ctx: TaskContext, payload: Value) -> Result<Value, TaskError> {
        let fields = Fields::new(&payload, &["duration"])?;
        let seconds = fields.seconds("duration", SLEEP_SECONDS_MAX)?.ok_or_else(|| missing("duration"))?;
        tokio::select! {
            biased;
            () = ctx.cancelled() => Err(TaskError::stopped()),
            () = tokio::time::sleep(Duration::from_secs_f64(seconds)) => {
                // The number as it was written: 1 stays 1 and does not become 1.0.
                Ok(json!({ "slept_for": fields.value("duration") }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::ErrorClass;

    #[tokio::test(start_paused = true)]
    async fn sleeps_as_long_as_it_says() {
        let before = tokio::time::Instant::now();
        let result = Sleep.execute(TaskContext::detached("t"), json!({"duration": 2.5})).await;
        assert_eq!(result, Ok(json!({"slept_for": 2.5})));
        let slept = before.elapsed();
        assert!((Duration::from_millis(2500)..Duration::from_millis(2600)).contains(&slept), "{slept:?}");
        let result = Sleep.execute(TaskContext::detached("t"), json!({"duration": 0})).await;
        assert_eq!(result, Ok(json!({"slept_for": 0})));
    }

    #[tokio::test]
    async fn ends_at_once_when_cancelled() {
        let ctx = TaskContext::detached("t");
        ctx.cancel_token().cancel();
        let result = Sleep.execute(ctx, json!({"duration": 86_400})).await;
        assert_eq!(result, Err(TaskError::stopped()));
    }

    #[tokio::test]
    async fn refuses_what_is_no_duration() {
        let cases = [
            (json!({}), "`duration` is missing"),
            (json!({"duration": null}), "`duration` is missing"),
            (json!({"duration": -0.1}), "between 0 and"),
            (json!({"duration": 31_536_001}), "between 0 and"),
            (json!({"duration": 1e300}), "between 0 and"),
            (json!({"duration": "1"}), "`duration` must be a number of seconds, not a string"),
            (json!({"duration": true}), "not a boolean"),
            (json!({"duration": 1, "durations": 1}), "unknown payload field `durations`"),
            (json!(3), "payload must be an object, not a number"),
        ];
        for (payload, expected) in cases {
            let error = Sleep.execute(TaskContext::detached("t"), payload.clone()).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::InvalidPayload, "{payload}");
            assert!(error.message.contains(expected), "{payload}: {}", error.message);
        }
    }
}
