//! `POST /v1/simulate`: what would happen if devices came or went, or if the past happened again.

use crate::api::body;
use crate::api::model::{DeviceNames, ForecastView, Invalid, SimulateRequest, SimulateView, is_keeper};
use crate::api::node::NodeApi;
use crate::api::problem::{Code, Problem};
use crate::api::state::App;
use crate::clock;
use crate::driver::{PeerReport, TaskReport};
use crate::forecast::{Asked, Forecast, ForecastError, TASKS_MAX, forecast};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use rc_scheduler::DeviceId;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// It takes a whole processor for seconds: one after the other.
static TURN: Semaphore = Semaphore::const_new(1);
/// Longest request.
const BYTES_MAX: u64 = 64 * 1024;

pub(super) async fn simulate<N: NodeApi>(
    State(app): State<App<N>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SimulateView>, Problem> {
    let bytes = body::read(&headers, body, BYTES_MAX).await?;
    let request: SimulateRequest = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::from(Invalid::new("the question", error.to_string())))?;
    let names = app.names().await;
    let peers = Arc::new(app.node().peers().await?);
    let capacity = |device: DeviceId| {
        let peer = peers.iter().find(|peer| peer.id == device)?;
        Some(peer.record.clone()?.capacity)
    };
    let asked = request.resolve(&|text| names.find(text), &capacity)?;
    let limit = u32::try_from(2 * TASKS_MAX).unwrap_or(u32::MAX);
    let (mut reports, _) = app.node().list(limit).await?;
    reports.retain(|report| !report.spec.as_ref().is_some_and(|spec| is_keeper(&spec.task_type)));
    let reports = Arc::new(reports);
    let now = clock::now().wall_ms;
    let _turn = TURN.acquire().await;
    let plain = Asked { replay: asked.replay, ..Asked::default() };
    let as_it_is = play(&peers, &reports, plain.clone(), now).await?;
    let changed = if asked == plain { None } else { Some(play(&peers, &reports, asked.clone(), now).await?) };
    let names = Extras { names: &names, asked: &asked };
    Ok(Json(SimulateView {
        recorded_makespan: asked.replay.map(|_| recorded(&as_it_is, &reports)),
        more: reports.len() > as_it_is.tasks.len() && as_it_is.tasks.len() == TASKS_MAX,
        as_it_is: ForecastView::new(&as_it_is, &names),
        changed: changed.map(|forecast| ForecastView::new(&forecast, &names)),
    }))
}

async fn play(
    peers: &Arc<Vec<PeerReport>>,
    reports: &Arc<Vec<TaskReport>>,
    asked: Asked,
    now: u64,
) -> Result<Forecast, Problem> {
    let (peers, reports) = (Arc::clone(peers), Arc::clone(reports));
    let played = tokio::task::spawn_blocking(move || forecast(&peers, &reports, &asked, now)).await;
    let problem = |error: ForecastError| Problem::new(Code::InvalidRequest, error.to_string());
    played.map_err(|error| Problem::new(Code::InvalidRequest, error.to_string()))?.map_err(problem)
}

/// How long it took when it happened.
fn recorded(forecast: &Forecast, reports: &[TaskReport]) -> f64 {
    let of = |report: &&TaskReport| forecast.tasks.iter().any(|task| task.task == report.id);
    let played: Vec<_> = reports.iter().filter(of).collect();
    let first = played.iter().map(|report| report.submitted_wall_ms).min().unwrap_or(0);
    let last = played.iter().filter_map(|report| Some(report.outcome.as_ref()?.finished_wall_ms)).max().unwrap_or(0);
    last.saturating_sub(first) as f64 / 1_000.0
}

/// The names of those that are there, and of those that are not.
struct Extras<'a, M> {
    names: &'a M,
    asked: &'a Asked,
}

impl<M: DeviceNames> DeviceNames for Extras<'_, M> {
    fn name(&self, device: DeviceId) -> String {
        match crate::forecast::extra_of(device) {
            Some(number) if number < self.asked.add.len() => self.asked.add[number].capacity.name.clone(),
            _ => self.names.name(device),
        }
    }
}
