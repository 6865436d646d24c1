//! Names that the cluster keeps, of modules and of flows: open tasks of types that no device runs. Nobody waits for them, so that lists
//! of tasks leave them out.

/// The type of the tasks that keep names of modules.
pub const KEPT_MODULE: &str = "wasm_type";
/// The type of the tasks that keep templates of flows.
pub const KEPT_FLOW: &str = "flow_template";

/// A task of this type is not there to run.
#[must_use]
pub fn keeps_a_name(task_type: &str) -> bool {
    [KEPT_MODULE, KEPT_FLOW].contains(&task_type)
}
