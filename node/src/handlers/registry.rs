//! Which task types a device has. Does not know which of them its owner allows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::TaskHandler;

/// Longest name of a task type, in bytes: names travel in every device record.
const TASK_TYPE_BYTES_MAX: usize = 64;

/// A handler that cannot be registered; the registry is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Two handlers for one type would make results depend on the order of start-up.
    #[error("there is a handler for task type `{0}` already")]
    Duplicate(String),
    /// The name is empty, too long or has characters other than letters, digits, `_`, `-`, `.` and `:`.
    #[error("`{0}` cannot be the name of a task type")]
    Name(String),
}

/// Handlers by task type.
#[derive(Clone, Default)]
pub struct Registry {
    handlers: BTreeMap<String, Arc<dyn TaskHandler>>,
}

impl Registry {
    /// A registry without handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler under the name it gives itself.
    ///
    /// # Errors
    /// The name is taken or not a name.
    pub fn register(&mut self, handler: Arc<dyn TaskHandler>) -> Result<(), RegistryError> {
        let name = handler.task_type().to_owned();
        let legal = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        if name.is_empty() || name.len() > TASK_TYPE_BYTES_MAX || !name.chars().all(legal) {
            return Err(RegistryError::Name(name));
        }
        if self.handlers.contains_key(&name) {
            return Err(RegistryError::Duplicate(name));
        }
        self.handlers.insert(name, handler);
        Ok(())
    }

    /// The handler of a type.
    pub fn get(&self, task_type: &str) -> Option<&Arc<dyn TaskHandler>> {
        self.handlers.get(task_type)
    }

    /// All types, in order of name.
    pub fn task_types(&self) -> impl Iterator<Item = &str> {
        self.handlers.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::echo::Echo;
    use crate::handlers::{TaskContext, TaskError};
    use serde_json::Value;

    struct Named(&'static str);

    #[async_trait::async_trait]
    impl TaskHandler for Named {
        fn task_type(&self) -> &str {
            self.0
        }
        async fn execute(&self, _: TaskContext, _: Value) -> Result<Value, TaskError> {
            Ok(Value::Null)
        }
    }

    #[test]
    fn a_type_has_one_handler_and_a_proper_name() {
        let mut registry = Registry::new();
        registry.register(Arc::new(Echo)).unwrap();
        assert_eq!(registry.register(Arc::new(Echo)), Err(RegistryError::Duplicate("echo".into())));
        for bad in ["", "two words", "ümlaut", "a/b"] {
            assert_eq!(registry.register(Arc::new(Named(bad))), Err(RegistryError::Name(bad.into())));
        }
        registry.register(Arc::new(Named("acme.fibonacci:2"))).unwrap();
        assert_eq!(registry.task_types().collect::<Vec<_>>(), ["acme.fibonacci:2", "echo"]);
    }
}
