//! What the examples of a node in a program of one's own do, done.

#[path = "../../examples/flow.rs"]
#[expect(dead_code, reason = "a test has a beginning of its own")]
mod flow;

use serde_json::json;

#[tokio::test]
async fn batches_flows_and_templates_from_rust() {
    let [batch, flow] = flow::run(7).await.unwrap();
    assert_eq!((&batch["completed"], &batch["of"]), (&json!(7), &json!(7)), "{batch}");
    assert_eq!(flow, json!([{"was": 7, "item": "x"}, "y"]));
}
