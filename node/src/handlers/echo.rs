//! `echo`: gives the payload back. Does nothing else, so it measures everything else.

use async_trait::async_trait;
use serde_json::Value;

use super::{TaskContext, TaskError, TaskHandler};

/// The handler of `echo`.
#[derive(Debug, Default)]
pub struct Echo;

#[async_trait]
impl TaskHandler for Echo {
    fn task_type(&self) -> &str {
        "echo"
    }

    fn side_effects(&self) -> bool {
        false
    }

    fn runs_inline(&self) -> bool {
        true
    }

    async fn execute(&self, _: TaskContext, payload: Value) -> Result<Value, TaskError> {
        Ok(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn any_json_comes_back_as_it_is() {
        for payload in [json!(null), json!(1), json!("x"), json!([{"deep": [1, 2.5, "ü"]}])] {
            assert_eq!(Echo.execute(TaskContext::detached("t"), payload.clone()).await, Ok(payload));
        }
    }
}
