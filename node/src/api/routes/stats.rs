//! `GET /v1/stats`: what the tasks of a period came to.

use crate::api::model::{Invalid, StatsView};
use crate::api::node::NodeApi;
use crate::api::problem::Problem;
use crate::api::state::App;
use crate::config::units::parse_duration;
use crate::stats::{By, StatsAsk};
use axum::Json;
use axum::extract::{Query, State, rejection::QueryRejection};
use serde::Deserialize;
use std::time::Duration;

const PERIOD_DEFAULT: Duration = Duration::from_secs(24 * 3_600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatsQuery {
    /// As people write it, e.g. `24h`.
    period: Option<String>,
    by: Option<By>,
}

pub(super) async fn stats<N: NodeApi>(
    State(app): State<App<N>>,
    query: Result<Query<StatsQuery>, QueryRejection>,
) -> Result<Json<StatsView>, Problem> {
    let Query(query) = query?;
    let period = query.period.as_deref().map_or(Ok(PERIOD_DEFAULT), parse_duration);
    let period = period.map_err(|error| Invalid::new("period", error.to_string()))?;
    if period.is_zero() {
        return Err(Invalid::new("period", "allowed is 1ms to 365d").into());
    }
    let report = app.node().stats(StatsAsk { period, by: query.by.unwrap_or_default() }).await?;
    Ok(Json(StatsView::new(&report, &app.names().await)))
}
