//! Where log lines go and what they look like: short lines for a person, or one JSON object per line for a program. Always stderr.
//! Does not know what is worth logging.

mod json;
pub mod otlp;

use crate::config::LogFormat;
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// The device's id, in every JSON line once it is known.
static INSTANCE_ID: OnceLock<String> = OnceLock::new();

/// What is logged if nobody chooses. libp2p-mdns calls it an error each time that it cannot send from an address, which is so for the
/// first second of every IPv6 address (it is still tentative) and while an interface goes away; it tries again by itself. That there
/// is no mDNS at all is told by `rc_p2p`.
const FILTER: &str = "error,libp2p_mdns=off,rc_node=info,rc_p2p=info,rc_scheduler=info";

/// Tells the log lines which device they are from; the first call counts.
pub fn set_instance_id(id: &str) {
    // A second node in one process shares the first one's lines.
    let _ = INSTANCE_ID.set(id.to_owned());
}

/// Starts logging; `RC_NODE_LOG` chooses what, e.g. `rc_node=debug,libp2p=info`. The first call of a process counts.
pub fn init(format: LogFormat) {
    let chosen = EnvFilter::try_from_env("RC_NODE_LOG");
    let filter = chosen.unwrap_or_else(|_| EnvFilter::new(FILTER));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => {
            let lines = json::Lines::new(std::io::stderr());
            builder.with_ansi(false).event_format(json::Json).with_writer(lines).finish().try_init()
        }
        LogFormat::Text => {
            let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            builder
                .with_ansi(std::io::stderr().is_terminal() && !no_colour)
                .with_target(false)
                .compact()
                .finish()
                .try_init()
        }
    };
    // An embedder's own subscriber is as good.
    drop(started);
}
