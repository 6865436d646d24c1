//! `system_info`: the device's record, as it is now. What is in the record is the caller's choice.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Fields, TaskContext, TaskError, TaskHandler};

/// Gives the record. Called on a runtime thread for every task: it must return within a millisecond or so.
pub type RecordSource = Arc<dyn Fn() -> Value + Send + Sync>;

/// The handler of `system_info`.
pub struct SystemInfo {
    source: RecordSource,
}

impl SystemInfo {
    /// A handler that answers with what `source` gives.
    pub fn new(source: RecordSource) -> Self {
        Self { source }
    }
}

#[async_trait]
impl TaskHandler for SystemInfo {
    fn task_type(&self) -> &str {
        "system_info"
    }

    fn side_effects(&self) -> bool {
        false
    }

    fn runs_inline(&self) -> bool {
        true
    }

    async fn execute(&self, _: TaskContext, payload: Value) -> Result<Value, TaskError> {
        Fields::new(&payload, &[])?;
        Ok((self.source)())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn answers_with_the_record_of_the_moment() {
        let count = std::sync::atomic::AtomicU32::new(0);
        let source = move || json!({"n": count.fetch_add(1, std::sync::atomic::Ordering::Relaxed)});
        let handler = SystemInfo::new(Arc::new(source));
        assert_eq!(handler.execute(TaskContext::detached("t"), json!({})).await, Ok(json!({"n": 0})));
        assert_eq!(handler.execute(TaskContext::detached("t"), json!(null)).await, Ok(json!({"n": 1})));
        let error = handler.execute(TaskContext::detached("t"), json!({"verbose": true})).await.unwrap_err();
        assert!(error.message.contains("`verbose`"), "{}", error.message);
    }
}
