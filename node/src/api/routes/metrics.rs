//! `GET /metrics`: this device's figures, as Prometheus reads them.

use crate::api::node::NodeApi;
use crate::api::problem::Problem;
use crate::api::state::App;
use crate::blobs::Blobs;
use crate::metrics::render;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

pub(super) async fn metrics<N: NodeApi>(State(app): State<App<N>>) -> Result<impl IntoResponse, Problem> {
    let report = app.node().metrics().await?;
    let text = render(&report, app.node().blobs().map(Blobs::stats));
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
