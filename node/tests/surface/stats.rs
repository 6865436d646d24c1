//! The figures of a period as a program reads them.

use crate::fake::serve;
use hyper::Method;
use rc_node::client::{Client, ClientError};
use serde_json::{Value, json};

#[tokio::test]
async fn figures_have_the_units_that_their_names_say() {
    let served = serve().await;
    let mut client = Client::new(&served.dir.path().join("node.sock"));
    let told: Value = client.get("/v1/stats?period=10s").await.expect("figures");
    assert_eq!((&told["period_seconds"], &told["by"]), (&json!(10.0), &json!("device")));
    assert_eq!((&told["from"], &told["to"]), (&json!("2023-11-14T22:13:10.000Z"), &json!("2023-11-14T22:13:20.000Z")));
    assert_eq!(told["silent"], json!(["attic"]));
    let row = &told["rows"][0];
    for (field, value) in [
        ("device", json!("cellar")),
        ("total", json!(12)),
        ("completed", json!(9)),
        ("failed", json!(1)),
        ("success_rate", json!(0.9)),
        ("mean_execution_seconds", json!(0.05)),
        ("mean_response_seconds", json!(null)),
        ("delay_seconds", json!(null)),
        // Half a second of five slots in ten seconds.
        ("utilisation", json!(0.01)),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    assert!(row["execution_seconds"]["p99"].as_f64().is_some_and(|p99| (p99 / 0.05 - 1.0).abs() < 0.04), "{row:#}");
    assert_eq!(told["total"]["utilisation"], 0.005, "of both devices");
    let told: Value = client.get("/v1/stats?by=type").await.expect("figures");
    assert_eq!((&told["rows"][0]["task_type"], &told["period_seconds"]), (&json!("echo"), &json!(86_400.0)));
    for query in ["period=soon", "period=0s", "period=-1h", "period=2000d", "by=colour", "since=1h"] {
        match client.request(Method::GET, &format!("/v1/stats?{query}"), None).await {
            Err(ClientError::Problem(problem)) => assert_eq!(problem.status, 400, "{query}"),
            other => panic!("{query}: {other:?}"),
        }
    }
}
