//! What was typed: one layer of settings, from flags, the environment or the file. All optional, nothing interpreted.

use super::limits;
use clap::Args;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// Settings as they were typed somewhere.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// What the others call this device [default: its host name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What the device is for: worker, compute, storage or mobile [default: mobile on Android, else worker]
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// A word that tasks can ask for; may be repeated, or separated by commas
    #[arg(long = "tag", value_name = "TAG", value_delimiter = ',')]
    pub tags: Option<Vec<String>>,
    /// Where to listen for other devices: a port, ADDR:PORT or a multiaddr; may be repeated [default: any free port]
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    pub listen: Option<Vec<String>>,
    /// Another device's address, as its `status` shows it; may be repeated
    #[arg(long = "peer", value_name = "ADDR", value_delimiter = ',')]
    pub peers: Option<Vec<String>>,
    /// Do not look for devices on the local network
    #[arg(long, num_args = 0, default_missing_value = "true", value_name = "BOOL")]
    pub no_mdns: Option<bool>,
    /// Task types that this device runs beside the harmless ones, e.g. command, and permissions that it grants to tasks that ask:
    /// network_access, read_files, write_files
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    pub allow: Option<Vec<String>>,
    /// A file or directory that tasks may have where read_files or write_files is allowed; may be repeated
    #[arg(long = "allowed-path", value_name = "PATH", value_delimiter = ',')]
    pub allowed_paths: Option<Vec<String>>,
    /// What tasks of type http_request may reach besides the Internet, e.g. 192.168.1.0/24:8080
    #[arg(long, value_name = "ADDR[/BITS][:PORT]", value_delimiter = ',')]
    pub http_allow: Option<Vec<String>>,
    /// What is dialled to find out whether there is a way to the Internet, only while a task asks for one: ADDR:PORT, or `off`; may be
    /// repeated [default: 1.1.1.1:443, 9.9.9.9:443, …]
    #[arg(long, value_name = "ADDR:PORT|off", value_delimiter = ',')]
    pub internet_probe: Option<Vec<String>>,
    /// Where it is told, as JSON, that a task has failed for good: http(s)://…
    #[arg(long, value_name = "URL")]
    pub alert_webhook: Option<String>,
    /// Tasks at once [default: 5; mobile 2]
    #[arg(long, value_name = "N")]
    pub max_concurrent_tasks: Option<u32>,
    /// A limit of the owner's policy, e.g. battery.min=30 or windows=22:00-07:00 (see `rc-node policy show`); may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    #[serde(skip)]
    pub policy: Option<Vec<String>>,
    /// The same in the file: `[policy]`.
    #[arg(skip)]
    #[serde(rename = "policy", deserialize_with = "limits::flat")]
    pub policy_file: Option<BTreeMap<String, String>>,
    /// Room for large data (blobs), e.g. 20GiB; what does not fit is refused [default: 10GiB]
    #[arg(long, value_name = "SIZE")]
    pub blobs_max_bytes: Option<String>,
    /// How long a blob stays that no task names, e.g. 2h [default: 24h]
    #[arg(long, value_name = "DURATION")]
    pub blobs_grace: Option<String>,
    /// Longest payload or result in JSON; it passes through memory [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    pub payload_max_bytes: Option<String>,
    /// How long ended tasks accepted here are kept, in time that this device runs [default: 168h]
    #[arg(long, value_name = "DURATION")]
    pub retention: Option<String>,
    /// Ended tasks accepted here that are kept; of more, the oldest are forgotten early [default: 100000]
    #[arg(long, value_name = "N")]
    pub keep_tasks: Option<u32>,
    /// Open tasks that this device holds, its own and those it keeps for others; of more, none are accepted [default: 1000000]
    #[arg(long, value_name = "N")]
    pub queue_max: Option<u32>,
    /// The port for programs on this device, or `off` [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR|off")]
    pub http: Option<String>,
    /// `text` for people, `json` for programs [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// Send spans of tasks accepted here to this OpenTelemetry collector, e.g. http://192.168.1.5:4318 [default: nowhere]
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
    /// Task types that are programs of the owner's; only in the file.
    #[arg(skip)]
    pub handlers: Option<BTreeMap<String, HandlerLayer>>,
}

/// A task type that is declared in the file: `[handlers.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandlerLayer {
    /// The program and its arguments; one process per task.
    pub command: Vec<String>,
}

/// A variable that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}={value:?}: {why}")]
pub struct EnvError {
    name: &'static str,
    value: OsString,
    why: &'static str,
}

impl Layer {
    /// This layer over another: what is said here wins, what is not said here is looked up there.
    #[must_use]
    pub fn over(self, lower: Self) -> Self {
        Self {
            name: self.name.or(lower.name),
            role: self.role.or(lower.role),
            tags: self.tags.or(lower.tags),
            listen: self.listen.or(lower.listen),
            peers: self.peers.or(lower.peers),
            no_mdns: self.no_mdns.or(lower.no_mdns),
            allow: self.allow.or(lower.allow),
            allowed_paths: self.allowed_paths.or(lower.allowed_paths),
            http_allow: self.http_allow.or(lower.http_allow),
            internet_probe: self.internet_probe.or(lower.internet_probe),
            alert_webhook: self.alert_webhook.or(lower.alert_webhook),
            max_concurrent_tasks: self.max_concurrent_tasks.or(lower.max_concurrent_tasks),
            policy: self.policy.or(lower.policy),
            policy_file: self.policy_file.or(lower.policy_file),
            blobs_max_bytes: self.blobs_max_bytes.or(lower.blobs_max_bytes),
            blobs_grace: self.blobs_grace.or(lower.blobs_grace),
            payload_max_bytes: self.payload_max_bytes.or(lower.payload_max_bytes),
            retention: self.retention.or(lower.retention),
            keep_tasks: self.keep_tasks.or(lower.keep_tasks),
            queue_max: self.queue_max.or(lower.queue_max),
            http: self.http.or(lower.http),
            log_format: self.log_format.or(lower.log_format),
            otlp: self.otlp.or(lower.otlp),
            handlers: self.handlers.or(lower.handlers),
        }
    }
}

/// The layer that the environment is: `RC_NODE_NAME`, `RC_NODE_TAGS=a,b`, … An empty variable says nothing.
///
/// # Errors
/// A value is not text, or not of its kind.
pub fn read_env(get: &dyn Fn(&'static str) -> Option<OsString>) -> Result<Layer, EnvError> {
    let text = |name: &'static str| -> Result<Option<String>, EnvError> {
        let value = get(name).filter(|value| !value.is_empty());
        let decode =
            |value: OsString| value.into_string().map_err(|value| EnvError { name, value, why: "is not UTF-8" });
        value.map(decode).transpose()
    };
    let list = |name| -> Result<Option<Vec<String>>, EnvError> {
        let split = |text: String| text.split(',').map(|part| part.trim().to_owned()).collect();
        Ok(text(name)?.map(split))
    };
    let flag = |name| match text(name)?.as_deref() {
        None => Ok(None),
        Some("1" | "true" | "yes" | "on") => Ok(Some(true)),
        Some("0" | "false" | "no" | "off") => Ok(Some(false)),
        Some(other) => Err(EnvError { name, value: other.into(), why: "is neither true nor false" }),
    };
    let number = |name| -> Result<Option<u32>, EnvError> {
        let parse =
            |text: String| text.parse().map_err(|_| EnvError { name, value: text.into(), why: "is no whole number" });
        text(name)?.map(parse).transpose()
    };
    Ok(Layer {
        name: text("RC_NODE_NAME")?,
        role: text("RC_NODE_ROLE")?,
        tags: list("RC_NODE_TAGS")?,
        listen: list("RC_NODE_LISTEN")?,
        peers: list("RC_NODE_PEERS")?,
        no_mdns: flag("RC_NODE_NO_MDNS")?,
        allow: list("RC_NODE_ALLOW")?,
        allowed_paths: list("RC_NODE_ALLOWED_PATHS")?,
        http_allow: list("RC_NODE_HTTP_ALLOW")?,
        internet_probe: list("RC_NODE_INTERNET_PROBE")?,
        alert_webhook: text("RC_NODE_ALERT_WEBHOOK")?,
        max_concurrent_tasks: number("RC_NODE_MAX_CONCURRENT_TASKS")?,
        // Hours have commas in them.
        policy: text("RC_NODE_POLICY")?.map(|text| text.split(';').map(|part| part.trim().to_owned()).collect()),
        policy_file: None,
        blobs_max_bytes: text("RC_NODE_BLOBS_MAX_BYTES")?,
        blobs_grace: text("RC_NODE_BLOBS_GRACE")?,
        payload_max_bytes: text("RC_NODE_PAYLOAD_MAX_BYTES")?,
        retention: text("RC_NODE_RETENTION")?,
        keep_tasks: number("RC_NODE_KEEP_TASKS")?,
        queue_max: number("RC_NODE_QUEUE_MAX")?,
        http: text("RC_NODE_HTTP")?,
        log_format: text("RC_NODE_LOG_FORMAT")?,
        otlp: text("RC_NODE_OTLP")?,
        handlers: None,
    })
}
