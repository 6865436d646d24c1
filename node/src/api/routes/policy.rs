//! `/v1/policy`: when the owner lets this device work; and pausing or emptying any device of the cluster.

use crate::api::model::{PolicyView, ReasonView, parse_limits, parse_pause};
use crate::api::node::NodeApi;
use crate::api::problem::{Code, Problem};
use crate::api::state::App;
use crate::policy::{DeviceOrder, Orders, PolicyHandle};
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use rc_scheduler::{DeviceId, Span};
use serde_json::{Value, json};

/// Longest body: a handful of words.
const BODY_BYTES_MAX: usize = 16 * 1024;

fn policy<N: NodeApi>(app: &App<N>) -> Result<(&PolicyHandle, &Orders), Problem> {
    app.node().policy().ok_or_else(|| Problem::new(Code::NoRoute, "this node has no policy"))
}

async fn body(body: Body) -> Result<axum::body::Bytes, Problem> {
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|error| Problem::new(Code::InvalidRequest, error.to_string()))
}

pub(super) async fn show<N: NodeApi>(State(app): State<App<N>>) -> Result<Json<PolicyView>, Problem> {
    Ok(Json(policy(&app)?.0.show().await?.into()))
}

pub(super) async fn set<N: NodeApi>(State(app): State<App<N>>, from: Body) -> Result<Json<PolicyView>, Problem> {
    let limits = parse_limits(&body(from).await?)?;
    Ok(Json(policy(&app)?.0.set(limits).await?.into()))
}

pub(super) async fn pause<N: NodeApi>(State(app): State<App<N>>, from: Body) -> Result<Json<PolicyView>, Problem> {
    let span = parse_pause(&body(from).await?)?;
    Ok(Json(policy(&app)?.0.pause(span).await?.into()))
}

pub(super) async fn resume<N: NodeApi>(State(app): State<App<N>>) -> Result<Json<PolicyView>, Problem> {
    Ok(Json(policy(&app)?.0.resume().await?.into()))
}

/// `POST /v1/peers/{device}/{order}`, where the order is `pause`, `resume`, `drain` or `undrain`.
pub(super) async fn order<N: NodeApi>(
    State(app): State<App<N>>,
    Path((device, order)): Path<(String, String)>,
    from: Body,
) -> Result<Json<Value>, Problem> {
    let bytes = body(from).await?;
    let order = match order.as_str() {
        "pause" => DeviceOrder::Pause { ms: parse_pause(&bytes)?.map(Span::as_ms) },
        "resume" => DeviceOrder::Resume,
        "drain" => DeviceOrder::Drain,
        "undrain" => DeviceOrder::Undrain,
        other => {
            let allowed = "allowed are pause, resume, drain, undrain";
            return Err(Problem::new(Code::NoRoute, format!("no order {other:?}; {allowed}")));
        }
    };
    let (here, orders) = policy(&app)?;
    let (id, name, me) = named(&app, &device).await?;
    let blocked: Vec<_> = if me {
        let view: PolicyView = crate::policy::obey(here, order).await?.into();
        view.reasons
    } else {
        let blocked = orders.give(id, order).await.map_err(|error| {
            Problem::new(Code::NoAnswer, format!("{name}: {error}")).hint("see how it is with `rc-node peers`")
        })?;
        blocked.into_iter().map(|(by, text)| ReasonView { by, text }).collect()
    };
    Ok(Json(json!({ "id": id.to_string(), "name": name, "reasons": blocked })))
}

/// The one device that is called so: by its name, its id, or the beginning of its id. Its name, and whether it is this one.
async fn named<N: NodeApi>(app: &App<N>, text: &str) -> Result<(DeviceId, String, bool), Problem> {
    let peers = app.node().peers().await?;
    let row = |peer: &crate::driver::PeerReport| {
        let name = peer.record.as_ref().map(|record| record.capacity.name.clone()).filter(|name| !name.is_empty());
        (peer.id, name.unwrap_or_else(|| peer.id.to_string()), peer.me)
    };
    let rows: Vec<_> = peers.iter().map(row).collect();
    let lower = text.to_ascii_lowercase();
    let of_name: Vec<_> = rows.iter().filter(|(_, name, _)| name == text).collect();
    let found = if of_name.is_empty() && !lower.is_empty() {
        rows.iter().filter(|(id, ..)| id.to_string().to_ascii_lowercase().starts_with(&lower)).collect()
    } else {
        of_name
    };
    match found[..] {
        [row] => Ok(row.clone()),
        [] => Err(Problem::new(Code::NoDevice, format!("no device is called {text:?}, and no id begins so"))
            .hint("`rc-node peers` lists them")),
        _ => Err(Problem {
            matches: found.iter().map(|(id, name, _)| format!("{id}  {name}")).collect(),
            ..Problem::new(Code::Ambiguous, format!("several devices are called {text:?}")).hint("give the device's id")
        }),
    }
}
