//! `peers`: the cluster's devices, and telling one of them to rest.

use super::policy::pause_body;
use crate::api::model::{PeerView, ReasonView};
use crate::cli::args::{DeviceArgs, PeersArgs, PeersVerb};
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Card, Cell, Output, Style};
use crate::cli::progress::Progress;
use crate::cli::screen::{self, Watched};
use crate::cli::session::{Place, Session};
use crate::client::{Client, path_part};
use hyper::Method;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What changes beside the load, of which nobody tells.
const EVENTS: &str = "/v1/events?kind=peer.up,peer.lost,device.woke";
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(super) async fn peers(place: &Place, args: PeersArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    match args.verb {
        None if args.watch => {
            let watched = Watched { events: EVENTS, every: LOOK_EVERY, changes: &changes };
            let ask = async |client: &mut Client| Ok((client.get::<Vec<PeerView>>("/v1/peers").await?, None));
            screen::watch(&mut session.client, args.output.output, watched, ask).await?;
            Ok(Exit::Ok.code())
        }
        None => {
            let peers: Vec<PeerView> = session.client.get("/v1/peers").await?;
            Output::stdout(args.output.output).list(&peers)?;
            for peer in peers.iter().filter(|peer| peer.twins) {
                let (name, id) = (&peer.name, &peer.id);
                let why = "two hosts run with its data directory, or it was put back to an older copy";
                let what = "on all but one of them stop the node, delete its data directory and join again";
                Progress::stderr().notice(&format!("{name} ({id}) contradicts itself: {why}; {what}"));
            }
            Ok(Exit::Ok.code())
        }
        Some(PeersVerb::Pause { device, duration }) => {
            order(&mut session, &device, "pause", pause_body(duration.as_deref())?).await
        }
        Some(PeersVerb::Resume(device)) => order(&mut session, &device, "resume", Vec::new()).await,
        Some(PeersVerb::Drain(device)) => order(&mut session, &device, "drain", Vec::new()).await,
        Some(PeersVerb::Undrain(device)) => order(&mut session, &device, "undrain", Vec::new()).await,
    }
}

fn changes(peer: &PeerView) -> String {
    let PeerView { name, state, active_tasks, queued_tasks, max_concurrent_tasks, .. } = peer;
    format!("{name} {state} {active_tasks:?} {queued_tasks:?} {max_concurrent_tasks:?} {}", peer.why_blocked())
}

/// What a device is left with after an order.
#[derive(Serialize, Deserialize)]
struct Ordered {
    id: String,
    name: String,
    reasons: Vec<ReasonView>,
}

impl Card for Ordered {
    fn id(&self) -> String {
        self.id.clone()
    }
    fn lines(&self, _: bool, _: &Style) -> Vec<(&'static str, Cell)> {
        let works = if self.reasons.is_empty() { "takes work" } else { "takes no work" };
        let mut lines = vec![("device", Cell::new(&self.name)), ("now", Cell::new(works))];
        lines.extend(self.reasons.iter().map(|reason| ("because", Cell::new(say(reason)))));
        lines
    }
}

/// A reason as a person reads it; another device may have written it.
pub(super) fn say(reason: &ReasonView) -> String {
    let text = format!("{} {}", if reason.by == "policy" { "" } else { &reason.by }, reason.text);
    text.trim().escape_debug().to_string()
}

async fn order(session: &mut Session, args: &DeviceArgs, order: &str, body: Vec<u8>) -> Result<u8, CliError> {
    let path = format!("/v1/peers/{}/{order}", path_part(&args.device));
    let ordered: Ordered = session.client.request(Method::POST, &path, Some(body)).await?.json()?;
    Output::stdout(args.output.output).one(&ordered)?;
    Ok(Exit::Ok.code())
}
