//! What the layers mean, checked once. Whoever gets [`Settings`] need not check again.

use super::layer::{HandlerLayer, Layer};
use super::units::{self, parse_duration};
use crate::blobs::StoreLimits;
use crate::node::{INTERNET_PROBE_DEFAULT, OwnerSays};
use crate::policy::{Key, Limits, Rules};
use crate::telemetry::otlp::{BadCollector, Collector};
use rc_scheduler::{QUEUE_MAX, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

const NAME_BYTES_MAX: usize = 64;
const LIST_MAX: usize = 64;
const PROBES_MAX: usize = 8;
const URL_BYTES_MAX: usize = 2_048;
const TASKS_MAX: u32 = 1_024;
const RETENTION_DEFAULT: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Whoever submits must have time to read the result.
const RETENTION_MIN: Duration = Duration::from_secs(60);
const RETENTION_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);
const KEEP_DEFAULT: u32 = 100_000;
const KEEP_MAX: u32 = 10_000_000;
const HTTP_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// What a node is told before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Identity, log, configuration and socket live there.
    pub data_dir: PathBuf,
    /// What the others call it.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Words that tasks can ask for.
    pub tags: BTreeSet<String>,
    /// Where to listen, as multiaddr texts; empty is the network's own choice.
    pub listen: Vec<String>,
    /// Whom to dial, as multiaddr texts.
    pub peers: Vec<String>,
    /// Look for devices on the local network.
    pub mdns: bool,
    /// Task types that its owner switched on beside the harmless ones.
    pub allow: BTreeSet<String>,
    /// Files and directories that tasks may have; absolute.
    pub allowed_paths: Vec<PathBuf>,
    /// More of these while nobody else is a member.
    pub allow_alone: BTreeSet<String>,
    /// What `http_request` may reach besides public addresses.
    pub http_allow: Vec<String>,
    /// What is dialled to find out whether there is a way to the Internet; nothing is never.
    pub internet_probe: Vec<SocketAddr>,
    /// Where it is told that a task has failed for good.
    pub alert_webhook: Option<String>,
    /// Tasks at once.
    pub max_concurrent_tasks: u32,
    /// When the device works: what the file and the flags say of it.
    pub policy: OwnerSays,
    /// Whether any of that counts; not for a node that works for whoever started it alone.
    pub policy_on: bool,
    /// Room and time for large data.
    pub blobs: StoreLimits,
    /// How long ended tasks accepted here are kept, in time that the device runs.
    pub retention: Duration,
    /// How many of them are kept.
    pub keep_tasks: u32,
    /// Open tasks that it holds at most.
    pub queue_max: u32,
    /// The port for programs.
    pub http: Http,
    /// How to log.
    pub log_format: LogFormat,
    /// Where spans of tasks are sent.
    pub otlp: Option<Collector>,
    /// Task types that are programs of the owner's: program and arguments.
    pub scripts: BTreeMap<String, Vec<String>>,
}

/// The TCP port for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    /// None.
    Off,
    /// Here; if nobody chose it, it may be missing when the port is taken.
    On {
        /// Where.
        address: SocketAddr,
        /// Somebody chose it.
        chosen: bool,
    },
}

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Short lines for a person.
    Text,
    /// One JSON object per line.
    Json,
}

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} {value:?}: {allowed}")]
pub struct SettingsError {
    /// Which setting, by the name of its flag.
    pub name: &'static str,
    /// What was typed.
    pub value: String,
    /// What would do.
    pub allowed: String,
}

impl SettingsError {
    fn new(name: &'static str, value: &str, allowed: impl Into<String>) -> Self {
        Self { name, value: value.to_owned(), allowed: allowed.into() }
    }
}

impl Settings {
    /// Interprets a layer. `host_name` is the name of a device that was given none.
    ///
    /// # Errors
    /// Names the setting and says what would do.
    pub fn resolve(layer: Layer, data_dir: PathBuf, host_name: Option<String>) -> Result<Self, SettingsError> {
        let role = role(layer.role.as_deref())?;
        let tasks_default = if role == Role::Mobile { 2 } else { 5 };
        let max_concurrent_tasks = layer.max_concurrent_tasks.unwrap_or(tasks_default);
        if !(1..=TASKS_MAX).contains(&max_concurrent_tasks) {
            let value = max_concurrent_tasks.to_string();
            let allowed = format!("allowed is 1 to {TASKS_MAX}");
            return Err(SettingsError::new("max-concurrent-tasks", &value, allowed));
        }
        let name = match layer.name {
            Some(name) => name,
            None => host_name.unwrap_or_else(|| "device".to_owned()),
        };
        Ok(Self {
            data_dir,
            name: word("name", &name)?,
            role,
            tags: words("tag", layer.tags)?.into_iter().collect(),
            listen: addresses("listen", layer.listen)?,
            peers: addresses("peer", layer.peers)?,
            mdns: !layer.no_mdns.unwrap_or(false),
            allow: words("allow", layer.allow)?.into_iter().collect(),
            allowed_paths: paths(layer.allowed_paths)?,
            allow_alone: BTreeSet::new(),
            http_allow: words("http-allow", layer.http_allow)?,
            internet_probe: internet_probe(layer.internet_probe)?,
            alert_webhook: layer.alert_webhook.map(webhook).transpose()?,
            max_concurrent_tasks,
            blobs: blobs(
                layer.blobs_max_bytes.as_deref(),
                layer.blobs_grace.as_deref(),
                layer.payload_max_bytes.as_deref(),
            )?,
            retention: retention(layer.retention.as_deref())?,
            keep_tasks: keep_tasks(layer.keep_tasks)?,
            queue_max: queue_max(layer.queue_max)?,
            http: http(layer.http.as_deref())?,
            policy: policy(layer.policy_file, layer.policy)?,
            policy_on: true,
            log_format: log_format(layer.log_format.as_deref())?,
            otlp: otlp(layer.otlp.as_deref())?,
            scripts: scripts(layer.handlers)?,
        })
    }
}

/// Limits by their names, each checked by itself, and against those below them.
fn policy(file: Option<BTreeMap<String, String>>, flags: Option<Vec<String>>) -> Result<OwnerSays, SettingsError> {
    let read = |setting: &'static str, name: &str, value: &str| -> Result<(Key, String), SettingsError> {
        let error = |error: crate::policy::RulesError| {
            SettingsError::new(setting, &format!("{name}={value}"), error.to_string())
        };
        let key = Key::from_word(name.trim()).map_err(error)?;
        Rules::new(false).with(&[(key, value.to_owned())].into()).map_err(error)?;
        Ok((key, value.trim().to_owned()))
    };
    let file: Result<Limits, _> =
        file.unwrap_or_default().iter().map(|(name, value)| read("[policy]", name, value)).collect();
    let flag = |text: &String| {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| SettingsError::new("policy", text, "write NAME=VALUE, e.g. battery.min=30"))?;
        read("policy", name, value)
    };
    let flags: Result<Limits, _> = flags.unwrap_or_default().iter().map(flag).collect();
    let says = OwnerSays { file: file?, flags: flags? };
    let together = Rules::new(false).with(&says.file).and_then(|rules| rules.with(&says.flags));
    together.map_err(|error| SettingsError::new("policy", "", error.to_string()))?;
    Ok(says)
}

fn otlp(text: Option<&str>) -> Result<Option<Collector>, SettingsError> {
    let read =
        |text: &str| text.parse().map_err(|error: BadCollector| SettingsError::new("otlp", text, error.to_string()));
    text.map(read).transpose()
}

fn scripts(handlers: Option<BTreeMap<String, HandlerLayer>>) -> Result<BTreeMap<String, Vec<String>>, SettingsError> {
    let handlers = handlers.unwrap_or_default();
    if handlers.len() > LIST_MAX {
        return Err(SettingsError::new("handlers", &handlers.len().to_string(), format!("at most {LIST_MAX} of them")));
    }
    let script = |(name, handler): (String, HandlerLayer)| {
        let command = handler.command;
        let usable = command.first().is_some_and(|program| !program.is_empty())
            && command.len() <= LIST_MAX
            && command.iter().all(|word| !word.contains('\0'));
        let wrong = || SettingsError::new("handlers", &name, "write [handlers.NAME] command = [\"PROGRAM\", \"ARG\"]");
        if usable { Ok((name, command)) } else { Err(wrong()) }
    };
    handlers.into_iter().map(script).collect()
}

fn retention(text: Option<&str>) -> Result<Duration, SettingsError> {
    let Some(text) = text else { return Ok(RETENTION_DEFAULT) };
    let allowed = "write 1m to 87600h, e.g. 48h";
    let parsed = parse_duration(text).map_err(|_| SettingsError::new("retention", text, allowed))?;
    let fits = (RETENTION_MIN..=RETENTION_MAX).contains(&parsed);
    if fits { Ok(parsed) } else { Err(SettingsError::new("retention", text, allowed)) }
}

fn keep_tasks(number: Option<u32>) -> Result<u32, SettingsError> {
    let number = number.unwrap_or(KEEP_DEFAULT);
    let fits = (1..=KEEP_MAX).contains(&number);
    let error = || SettingsError::new("keep-tasks", &number.to_string(), format!("allowed is 1 to {KEEP_MAX}"));
    fits.then_some(number).ok_or_else(error)
}

fn queue_max(number: Option<u32>) -> Result<u32, SettingsError> {
    let number = number.unwrap_or(QUEUE_MAX);
    let fits = (1..=QUEUE_MAX).contains(&number);
    let error = || SettingsError::new("queue-max", &number.to_string(), format!("allowed is 1 to {QUEUE_MAX}"));
    fits.then_some(number).ok_or_else(error)
}

fn role(text: Option<&str>) -> Result<Role, SettingsError> {
    let Some(text) = text else {
        let phone = cfg!(target_os = "android");
        return Ok(if phone { Role::Mobile } else { Role::Worker });
    };
    Role::from_word(text).ok_or_else(|| {
        let words: Vec<_> = Role::ALL.iter().map(|role| role.word()).collect();
        SettingsError::new("role", text, format!("allowed are {}", words.join(", ")))
    })
}

fn word(setting: &'static str, text: &str) -> Result<String, SettingsError> {
    let text = text.trim();
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        let allowed = format!("1 to {NAME_BYTES_MAX} bytes without control characters");
        return Err(SettingsError::new(setting, text, allowed));
    }
    Ok(text.to_owned())
}

fn words(setting: &'static str, texts: Option<Vec<String>>) -> Result<Vec<String>, SettingsError> {
    let texts = texts.unwrap_or_default();
    if texts.len() > LIST_MAX {
        let allowed = format!("at most {LIST_MAX} of them");
        return Err(SettingsError::new(setting, &texts.len().to_string(), allowed));
    }
    texts.iter().map(|text| word(setting, text)).collect()
}

/// As multiaddr texts, so that the network need not know how people write addresses.
fn addresses(setting: &'static str, texts: Option<Vec<String>>) -> Result<Vec<String>, SettingsError> {
    let texts = texts.unwrap_or_default();
    let allowed = "write ADDR:PORT, e.g. 192.168.1.7:4001, or a multiaddr";
    let read = |text: &String| -> Result<String, SettingsError> {
        let text = text.trim();
        if text.starts_with('/') && text.len() <= 512 {
            return Ok(text.to_owned());
        }
        if setting == "listen"
            && let Ok(port) = text.parse::<u16>()
        {
            return Ok(format!("/ip4/0.0.0.0/tcp/{port}"));
        }
        let address: SocketAddr = text.parse().map_err(|_| SettingsError::new(setting, text, allowed))?;
        let family = if address.is_ipv4() { "ip4" } else { "ip6" };
        Ok(format!("/{family}/{}/tcp/{}", address.ip(), address.port()))
    };
    if texts.len() > LIST_MAX {
        let allowed = format!("at most {LIST_MAX} of them");
        return Err(SettingsError::new(setting, &texts.len().to_string(), allowed));
    }
    texts.iter().map(read).collect()
}

fn internet_probe(texts: Option<Vec<String>>) -> Result<Vec<SocketAddr>, SettingsError> {
    let Some(texts) = texts else { return Ok(INTERNET_PROBE_DEFAULT.to_vec()) };
    if texts.len() == 1 && texts[0].trim() == "off" {
        return Ok(Vec::new());
    }
    let wrong = |text: &str| SettingsError::new("internet-probe", text, "write ADDR:PORT, e.g. 1.1.1.1:443, or off");
    if texts.len() > PROBES_MAX {
        let allowed = format!("at most {PROBES_MAX} of them");
        return Err(SettingsError::new("internet-probe", &texts.len().to_string(), allowed));
    }
    texts.iter().map(|text| text.trim().parse().map_err(|_| wrong(text))).collect()
}

fn webhook(url: String) -> Result<String, SettingsError> {
    let known = url.starts_with("http://") || url.starts_with("https://");
    let wrong = || SettingsError::new("alert-webhook", &url, "write an address that begins with http:// or https://");
    if known && url.len() <= URL_BYTES_MAX { Ok(url) } else { Err(wrong()) }
}

fn blobs(bytes: Option<&str>, grace: Option<&str>, payload: Option<&str>) -> Result<StoreLimits, SettingsError> {
    let default = StoreLimits::default();
    let size = |setting, text: Option<&str>, default, range: RangeInclusive<u64>| match text {
        None => Ok(default),
        Some(text) => units::parse_size(text).ok().filter(|size| range.contains(size)).ok_or_else(|| {
            let (from, to) = (units::show_size(*range.start()), units::show_size(*range.end()));
            SettingsError::new(setting, text, format!("a size from {from} to {to}, e.g. 512MiB"))
        }),
    };
    let long = |text: &str| {
        let grace = units::parse_duration(text).ok();
        grace.ok_or_else(|| SettingsError::new("blobs-grace", text, "a duration, e.g. 90s, 2h or 1d"))
    };
    Ok(StoreLimits {
        bytes_max: size("blobs-max-bytes", bytes, default.bytes_max, 0..=1 << 50)?,
        grace: grace.map_or(Ok(default.grace), long)?,
        payload_bytes_max: size("payload-max-bytes", payload, default.payload_bytes_max, 1 << 16..=1 << 30)?,
    })
}

fn paths(texts: Option<Vec<String>>) -> Result<Vec<PathBuf>, SettingsError> {
    let texts = texts.unwrap_or_default();
    if texts.len() > LIST_MAX {
        return Err(SettingsError::new(
            "allowed-path",
            &texts.len().to_string(),
            format!("at most {LIST_MAX} of them"),
        ));
    }
    let path = |text: &String| {
        let path = PathBuf::from(text);
        let wrong = || SettingsError::new("allowed-path", text, "write an absolute path, and not `/`");
        (path.is_absolute() && path.parent().is_some()).then_some(path).ok_or_else(wrong)
    };
    texts.iter().map(path).collect()
}

fn http(text: Option<&str>) -> Result<Http, SettingsError> {
    let (address, chosen) = match text.map(str::trim) {
        None => (HTTP_DEFAULT, false),
        Some("off") => return Ok(Http::Off),
        Some(text) => {
            let port = text.parse().map(|port| SocketAddr::new(HTTP_DEFAULT.ip(), port));
            let localhost = text.replacen("localhost:", "127.0.0.1:", 1);
            let address = port
                .or_else(|_| localhost.parse())
                .map_err(|_| SettingsError::new("http", text, "write ADDR:PORT, e.g. 127.0.0.1:8081, or off"))?;
            (address, true)
        }
    };
    Ok(Http::On { address, chosen })
}

fn log_format(text: Option<&str>) -> Result<LogFormat, SettingsError> {
    match text {
        None | Some("text") => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        Some(other) => Err(SettingsError::new("log-format", other, "allowed are text, json")),
    }
}
