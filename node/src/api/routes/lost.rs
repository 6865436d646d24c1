//! What is told to whoever asks for something that is not there, besides that it is not: whether the id is of another kind, and who does
//! not answer by name. Costs nothing where all went well.

use crate::api::node::NodeApi;
use crate::api::problem::{Code, Problem};
use crate::api::state::App;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

pub(super) async fn explain<N: NodeApi>(State(app): State<App<N>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    match Code::from_word(&problem.code) {
        Some(code @ (Code::NotFound | Code::NoBatch | Code::Unknown)) => {
            let problem = problem.clone();
            described(&app, code, &path, problem).await.into_response()
        }
        _ => response,
    }
}

async fn described<N: NodeApi>(app: &App<N>, code: Code, path: &str, mut problem: Problem) -> Problem {
    let mut parts = path.strip_prefix("/v1/").unwrap_or_default().split('/');
    let (kind, id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default().to_ascii_lowercase());
    match code {
        Code::NotFound => {
            if let Ok(batch) = id.parse()
                && let Ok((found, _)) = app.node().batch(batch, Vec::new()).await
                && !found.statuses.is_empty()
            {
                return problem.hint(format!("{id} is a batch or a flow: rc-node batch show {id}"));
            }
        }
        Code::NoBatch => {
            if kind == "flows" {
                problem.title = "there is no such flow".into();
                problem = problem.hint("`rc-node flow ls` lists the cluster's flows");
            }
            if let Ok(task) = id.parse()
                && app.node().task(task).await.is_ok()
            {
                return problem.hint(format!("{id} is a task: rc-node show {id}"));
            }
        }
        _ => {
            if kind != "tasks" {
                problem.title = "nobody who answers knows it".into();
            }
            problem.detail = app.names().await.in_text(&problem.detail).into();
        }
    }
    problem
}
