//! The cluster and this node: members, status, health, an invitation, and the end.

use crate::api::model::{ClusterView, PeerView};
use crate::api::node::NodeApi;
use crate::api::problem::Problem;
use crate::api::state::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

pub(super) async fn peers<N: NodeApi>(State(app): State<App<N>>) -> Result<Json<Vec<PeerView>>, Problem> {
    let peers = app.node().peers().await?;
    Ok(Json(peers.iter().map(PeerView::new).collect()))
}

pub(super) async fn status<N: NodeApi>(State(app): State<App<N>>) -> Result<Json<ClusterView>, Problem> {
    Ok(Json(app.node().status().await?.into()))
}

pub(super) async fn invite<N: NodeApi>(State(app): State<App<N>>) -> Result<Json<Value>, Problem> {
    let ticket = app.node().invite().await?;
    Ok(Json(json!({ "ticket": ticket })))
}

pub(super) async fn shutdown<N: NodeApi>(State(app): State<App<N>>) -> (StatusCode, Json<Value>) {
    app.stop();
    (StatusCode::ACCEPTED, Json(json!({ "status": "stopping" })))
}

/// The process answers.
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// It takes tasks: its disk works and its driver answers.
pub(super) async fn readyz<N: NodeApi>(State(app): State<App<N>>) -> Result<(StatusCode, Json<Value>), Problem> {
    let status = app.node().status().await?;
    let code = if status.storage_healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ready": status.storage_healthy, "synced": status.synced });
    Ok((code, Json(body)))
}
