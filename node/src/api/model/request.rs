//! A task as it is asked for in JSON, and what it means to the scheduler. An unknown field is an error: a typo must not silently
//! change a task. Does not know whether any device can run it.

use super::batch::BatchHead;
use super::blob::BlobRequest;
use super::links::Links;
use super::number::{Invalid, count, seconds, text, texts, word};
use super::requirements::RequirementsRequest;
use super::sandbox::{SandboxRequest, enforced};
use rc_scheduler::{
    BLOBS_PER_TASK_MAX, Backoff, CRASH_LIMIT_MAX, DeviceId, ErrorClass, NewTask, Priority, RetryPolicy, TaskSpec,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// Task types whose second run is only a waste.
pub const PURE_TASK_TYPES: [&str; 5] = ["echo", "sleep", "system_info", "python_eval", "wasm"];

/// The longest name, tag, label or key, bytes.
pub(super) const WORD_BYTES_MAX: usize = 256;
const TASK_TYPE_BYTES_MAX: usize = 128;
const LABELS_MAX: usize = 64;
const PERMISSIONS_MAX: usize = 16;
const METADATA_BYTES_MAX: usize = 32 * 1024;
const RETRIES_MAX: u32 = 100;
const RETRIES_DEFAULT: u32 = 3;
const PERMISSIONS: [&str; 4] = ["read_files", "write_files", "network_access", "system_commands"];

/// A task as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskRequest {
    pub(super) task_type: String,
    #[serde(default = "empty_object")]
    pub(super) payload: Box<RawValue>,
    #[serde(default)]
    pub(super) priority: Option<String>,
    #[serde(default)]
    pub(super) requirements: RequirementsRequest,
    #[serde(default)]
    pub(super) retry: RetryRequest,
    #[serde(default)]
    pub(super) sandbox: Option<SandboxRequest>,
    /// Running it twice at once does no harm, whatever its type.
    #[serde(default)]
    pub(super) idempotent: bool,
    /// An attempt that takes far longer than others of its type may get a copy on another device.
    #[serde(default)]
    pub(super) speculative: bool,
    #[serde(default)]
    pub(super) required_permissions: Vec<String>,
    #[serde(default)]
    pub(super) after: Vec<String>,
    #[serde(default)]
    pub(super) blobs: Vec<BlobRequest>,
    #[serde(default)]
    pub(super) batch_id: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) submitter: Option<String>,
    #[serde(default)]
    pub(super) idempotency_key: Option<String>,
    #[serde(default)]
    pub(super) metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// What the first task of a batch says of the batch.
    #[serde(skip)]
    pub(super) head: Option<BatchHead>,
    /// What `after` means.
    #[serde(skip)]
    pub(super) links: Links,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RetryRequest {
    max_retries: Option<u32>,
    backoff_strategy: Option<String>,
    base_delay: Option<f64>,
    max_delay: Option<f64>,
    retry_on: Option<Vec<String>>,
    crash_limit: Option<u32>,
}

/// What people and handlers want to know and the scheduler does not.
#[derive(Serialize)]
struct Extra {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox: Option<SandboxRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<BatchHead>,
    /// What the tasks whose results it uses are called in its payload, in the order of `TaskSpec::uses`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    uses: Vec<String>,
}

/// What the tasks whose results a task uses are called in its payload, in the order of [`TaskSpec::uses`].
#[must_use]
pub fn used_names(spec: &TaskSpec) -> Vec<String> {
    #[derive(Deserialize)]
    struct Used {
        #[serde(default)]
        uses: Vec<String>,
    }
    serde_json::from_slice::<Used>(&spec.extra).map(|extra| extra.uses).unwrap_or_default()
}

impl TaskRequest {
    /// What the task waits for, and whose results it uses.
    pub fn set_links(&mut self, links: Links) {
        self.links = links;
    }

    /// The task is the first of a batch, and says so much of it.
    pub fn set_head(&mut self, head: BatchHead) {
        self.head = Some(head).filter(|head| *head != BatchHead::default());
    }

    /// Gives the task an idempotency key, if it has none of its own.
    ///
    /// # Errors
    /// It has another one.
    pub fn set_key(&mut self, key: &str) -> Result<(), Invalid> {
        match &self.idempotency_key {
            Some(own) if own != key => Err(Invalid::new(
                "idempotency_key",
                format!("is {own:?}, and the Idempotency-Key header says {key:?}; send one"),
            )),
            _ => {
                self.idempotency_key = Some(key.to_owned());
                Ok(())
            }
        }
    }

    /// Devices that the request names, by name, id or the beginning of an id.
    pub fn devices_named(&self) -> impl Iterator<Item = &str> {
        let named = &self.requirements;
        let lists = [&named.only_devices, &named.exclude_devices];
        lists.into_iter().flatten().map(String::as_str)
    }

    /// What it means to the scheduler. `device` finds the device that a text names.
    ///
    /// # Errors
    /// Names the field, and says what is accepted there.
    pub fn into_task(self, device: &dyn Fn(&str) -> Result<DeviceId, String>) -> Result<NewTask, Invalid> {
        let mut blobs = self.blobs;
        if self.task_type == "command" {
            blobs.extend(BlobRequest::of_command(&self.payload, &blobs));
        }
        count("blobs", blobs.len(), BLOBS_PER_TASK_MAX)?;
        let priority = self.priority.as_deref().map_or(Ok(Priority::Normal), |p| {
            word("priority", p, Priority::ALL, Priority::from_word, Priority::word)
        })?;
        let task_type = task_type(self.task_type)?;
        let timeout = self.requirements.timeout()?;
        let retry = retry(self.retry, self.requirements.max_retries)?;
        let key = self.idempotency_key.map(|key| text("idempotency_key", key, WORD_BYTES_MAX)).transpose()?;
        let mut permissions = permissions(self.required_permissions)?;
        permissions.extend(self.sandbox.iter().flat_map(SandboxRequest::permissions).map(str::to_owned));
        let extra = Extra {
            name: word_of("name", self.name)?,
            labels: labels(self.labels)?,
            metadata: metadata(self.metadata)?,
            batch_id: word_of("batch_id", self.batch_id)?,
            sandbox: self.sandbox.map(SandboxRequest::checked).transpose()?,
            batch: self.head,
            uses: self.links.names,
        };
        let extra = encode(&extra)?;
        let mut requirements = self.requirements.resolve(device)?;
        requirements.enforced = enforced(&task_type, &extra);
        let side_effects = !self.idempotent && !PURE_TASK_TYPES.contains(&task_type.as_str());
        if self.speculative {
            check_speculative(&task_type, side_effects, requirements.exclusive)?;
        }
        let spec = TaskSpec {
            side_effects,
            speculative: self.speculative,
            task_type,
            priority,
            timeout,
            requirements,
            retry,
            required_permissions: permissions,
            after: self.links.ids,
            uses: self.links.uses,
            idempotency_key: key,
            extra,
            payload_blob: None,
            blobs: blobs.iter().map(BlobRequest::reference).collect(),
            batch: None,
            submitter: word_of("submitter", self.submitter)?,
        };
        let payload = String::from(Box::<str>::from(self.payload)).into_bytes();
        Ok(NewTask { after_new: self.links.new, ..NewTask::new(spec, payload.into()) })
    }
}

/// A copy runs beside the attempt: that must do no harm.
fn check_speculative(task_type: &str, side_effects: bool, exclusive: bool) -> Result<(), Invalid> {
    let why = match (side_effects, exclusive) {
        (true, _) => format!(
            "lets a second attempt run beside a slow one, and a `{task_type}` task may do harm when it runs twice; \
             say `idempotent: true` (--idempotent) if this one does not"
        ),
        (_, true) => "lets a second attempt run beside a slow one, and `exclusive` wants nothing beside it".to_owned(),
        _ => return Ok(()),
    };
    Err(Invalid::new("speculative", why))
}

fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| unreachable!("{{}} is JSON"))
}

fn word_of(field: &str, value: Option<String>) -> Result<Option<String>, Invalid> {
    value.map(|value| text(field, value, WORD_BYTES_MAX)).transpose()
}

fn task_type(value: String) -> Result<String, Invalid> {
    let value = text("task_type", value, TASK_TYPE_BYTES_MAX)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    if !value.chars().all(fits) {
        return Err(Invalid::new(
            "task_type",
            format!("{value:?} has characters other than letters, digits and _ - . : /"),
        ));
    }
    Ok(value)
}

fn permissions(values: Vec<String>) -> Result<BTreeSet<String>, Invalid> {
    let field = "required_permissions";
    count(field, values.len(), PERMISSIONS_MAX)?;
    for value in &values {
        word(field, value, &PERMISSIONS, |text| PERMISSIONS.into_iter().find(|known| *known == text), |known| known)?;
    }
    texts(field, values, PERMISSIONS_MAX)
}

fn labels(labels: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Invalid> {
    count("labels", labels.len(), LABELS_MAX)?;
    for (key, value) in &labels {
        text("labels", key.clone(), WORD_BYTES_MAX)?;
        if value.len() > WORD_BYTES_MAX {
            return Err(Invalid::new(
                format!("labels.{key}"),
                format!("has {} bytes; allowed are {WORD_BYTES_MAX}", value.len()),
            ));
        }
    }
    Ok(labels)
}

type Metadata = serde_json::Map<String, serde_json::Value>;

fn metadata(metadata: Option<Metadata>) -> Result<Option<Metadata>, Invalid> {
    let Some(map) = metadata.filter(|map| !map.is_empty()) else {
        return Ok(None);
    };
    let bytes = serde_json::to_string(&map).map_or(usize::MAX, |text| text.len());
    if bytes > METADATA_BYTES_MAX {
        return Err(Invalid::new("metadata", format!("has {bytes} bytes; allowed are {METADATA_BYTES_MAX}")));
    }
    Ok(Some(map))
}

fn encode(extra: &Extra) -> Result<rc_scheduler::Bytes, Invalid> {
    let bytes = serde_json::to_vec(extra).map_err(|error| Invalid::new("metadata", error.to_string()))?;
    Ok(if bytes == b"{}" { rc_scheduler::Bytes::default() } else { bytes.into() })
}

fn retry(asked: RetryRequest, of_requirements: Option<u32>) -> Result<RetryPolicy, Invalid> {
    let default = RetryPolicy::default();
    let max_retries = match (asked.max_retries, of_requirements) {
        (Some(one), Some(other)) if one != other => {
            return Err(Invalid::new(
                "retry.max_retries",
                format!("is {one}, and `requirements.max_retries` says {other}; say it once"),
            ));
        }
        (one, other) => one.or(other).unwrap_or(RETRIES_DEFAULT),
    };
    if max_retries > RETRIES_MAX {
        return Err(Invalid::new(
            "max_retries",
            format!("{max_retries} is out of range; allowed is 0 to {RETRIES_MAX}"),
        ));
    }
    let backoff = asked.backoff_strategy.map_or(Ok(default.backoff), |strategy| {
        word("retry.backoff_strategy", &strategy, Backoff::ALL, Backoff::from_word, Backoff::word)
    })?;
    let retry_on = asked
        .retry_on
        .map(|classes| {
            let class = |class: &String| {
                word("retry.retry_on", class, ErrorClass::ALL, ErrorClass::from_word, ErrorClass::word)
            };
            classes.iter().map(class).collect::<Result<_, _>>()
        })
        .transpose()?;
    Ok(RetryPolicy {
        max_retries,
        backoff,
        base_delay: seconds("retry.base_delay", asked.base_delay, false)?.unwrap_or(default.base_delay),
        max_delay: seconds("retry.max_delay", asked.max_delay, false)?.unwrap_or(default.max_delay),
        retry_on,
        crash_limit: crash_limit(asked.crash_limit)?.unwrap_or(default.crash_limit),
    })
}

fn crash_limit(asked: Option<u32>) -> Result<Option<u32>, Invalid> {
    match asked {
        Some(limit) if limit > CRASH_LIMIT_MAX => Err(Invalid::new(
            "retry.crash_limit",
            format!("{limit} is out of range; allowed is 1 to {CRASH_LIMIT_MAX}, or 0 for any number"),
        )),
        asked => Ok(asked),
    }
}
