//! Task types that are names of WebAssembly modules: looks them up in the cluster, and makes of each such request one that runs its
//! module. A name is an open task of a type that no device runs, so it is on as many disks as any task; whichever way a request comes
//! in, at whichever device, the name means the same.

use super::model::{BUILT_IN_TYPES, Invalid, MODULE_KEPT_AS, Registered, TaskRequest, is_keeper};
use super::node::NodeApi;
use super::problem::Problem;
use super::state::App;
use crate::driver::TaskReport;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Names and what they stand for.
type Modules = Arc<HashMap<String, Registered>>;

/// The names as they were looked up last, and when that began.
#[derive(Clone, Default)]
pub(super) struct Lookup(Arc<Mutex<Option<(Instant, Modules)>>>);

impl Lookup {
    /// The names as they are now. Whoever asks while others are looking waits, and shares the next look with all who wait: the members
    /// are asked once at a time, however many requests there are, and nobody is told what was before he asked.
    async fn modules<N: NodeApi>(&self, node: &N) -> Result<Modules, Problem> {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((_, modules)) = last.as_ref().filter(|(begun, _)| *begun > asked) {
            return Ok(Arc::clone(modules));
        }
        let begun = Instant::now();
        let (mut kept, _) = node.open_of(MODULE_KEPT_AS.to_owned()).await?;
        // Of one name the newest counts, which is put in last.
        kept.sort_by_key(|report| report.id);
        let modules: Modules = Arc::new(kept.iter().filter_map(named).collect());
        *last = Some((begun, Arc::clone(&modules)));
        Ok(modules)
    }
}

/// What a task keeps; `None` if that makes no sense.
fn named(report: &TaskReport) -> Option<(String, Registered)> {
    #[derive(serde::Deserialize)]
    struct Extra {
        name: String,
        metadata: Registered,
    }
    let extra: Extra = serde_json::from_slice(&report.spec.as_ref()?.extra).ok()?;
    Some((extra.name, extra.metadata))
}

/// Makes requests for names into requests for their modules. A type that a device offers under that name goes before.
pub(super) async fn resolve<N: NodeApi>(
    app: &App<N>,
    requests: &mut [TaskRequest],
    at: &(dyn Fn(Invalid, usize) -> Invalid + Sync),
) -> Result<(), Problem> {
    let foreign = |request: &TaskRequest| {
        let name = request.task_type();
        !BUILT_IN_TYPES.contains(&name) && !is_keeper(name)
    };
    if !requests.iter().any(foreign) {
        return Ok(());
    }
    let offered = app.names().await;
    let unknown = |request: &TaskRequest| foreign(request) && !offered.offers(request.task_type());
    if !requests.iter().any(unknown) {
        return Ok(());
    }
    let modules = app.lookup().modules(app.node()).await?;
    for (index, request) in requests.iter_mut().enumerate().filter(|(_, request)| unknown(request)) {
        if let Some(registered) = modules.get(request.task_type()) {
            request.run_module(registered).map_err(|error| at(error, index))?;
        }
    }
    Ok(())
}
