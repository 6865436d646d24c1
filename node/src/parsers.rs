//! Everything that takes bytes from a peer, a worker, a task or a file, by name: for those who throw bytes at it (`tests/fuzz`), and for
//! nobody else. What a parser makes of them is dropped; it must not panic, and not take more memory or time than its bounds say.

use futures_util::FutureExt;

/// One of them. Handed any bytes.
pub type Parser = fn(&[u8]);

/// All of this crate, with their names.
pub const ALL: &[(&str, Parser)] = &[
    ("blob_stream", blob_stream),
    ("device_order", device_order),
    ("attempt_frames", attempt_frames),
    ("stats_share", stats_share),
    ("log_frames", crate::storage::hear),
    #[cfg(all(unix, any(feature = "python", feature = "wasm")))]
    ("worker_reply", crate::handlers::workers::hear),
    ("payloads", crate::handlers::hear),
    #[cfg(all(unix, feature = "wasm"))]
    ("wasm_module", crate::handlers::wasm::hear_module),
    #[cfg(feature = "http")]
    ("http_answer", crate::handlers::http::hear),
    ("http_allow", http_allow),
    ("task_request", task_request),
    ("outcome_body", outcome_body),
    ("units", units),
    ("configuration", configuration),
    ("flow_file", flow_file),
    ("holes", holes),
];

/// Longer than any blob that a list of groups is read for here.
const BLOB_BYTES_MAX: u64 = 1 << 30;

fn blob_stream(bytes: &[u8]) {
    // Everything is there already, so it never waits.
    let heard = crate::blobs::hear(&mut &bytes[..], BLOB_BYTES_MAX).now_or_never();
    assert!(heard.is_some(), "it waits for more than there is");
}

/// Everything is there already, so none of these waits.
fn device_order(bytes: &[u8]) {
    let heard = crate::policy::hear_order(&mut &bytes[..]).now_or_never();
    assert!(heard.is_some(), "it waits for more than there is");
}

fn attempt_frames(bytes: &[u8]) {
    let heard = crate::live::hear(&mut &bytes[..]).now_or_never();
    assert!(heard.is_some(), "it waits for more than there is");
}

fn stats_share(bytes: &[u8]) {
    let heard = crate::stats::hear(&mut &bytes[..]).now_or_never();
    assert!(heard.is_some(), "it waits for more than there is");
}

fn http_allow(bytes: &[u8]) {
    #[cfg(feature = "http")]
    drop(String::from_utf8_lossy(bytes).parse::<crate::handlers::http::AllowedTarget>());
    let _ = bytes;
}

/// A request with tasks; what is accepted has an encoded form that is read back as the same.
fn task_request(bytes: &[u8]) {
    use crate::api::model::{TaskRequests, parse_tasks};
    let Ok(requests) = parse_tasks(bytes) else { return };
    let requests = match requests {
        TaskRequests::One(one) => vec![*one],
        TaskRequests::Many(many) => many,
    };
    for request in requests {
        let Ok(task) = request.into_task(&|_| Err("nobody".to_owned())) else { continue };
        let spec = rc_scheduler::wire::encode_spec(&task.spec);
        let back: Result<rc_scheduler::TaskSpec, _> = ciborium::from_reader(&spec[..]);
        assert_eq!(back.ok().as_ref(), Some(&task.spec), "a task is what it was");
        crate::handlers::SandboxAsk::of(&task.spec.extra).needs();
    }
}

fn outcome_body(bytes: &[u8]) {
    let _ = crate::blobs::BodyBlobs::of(bytes);
    crate::handlers::SandboxAsk::of(bytes).tighten(crate::handlers::TaskLimits::default());
}

/// A flow in any of its languages; what is accepted is JSON that is read back as the same flow.
fn flow_file(bytes: &[u8]) {
    use crate::flow::{Definition, Format, Node, Plan, graph};
    let text = String::from_utf8_lossy(bytes);
    for format in [Format::Toml, Format::Yaml, Format::Json] {
        let Ok(root) = Node::read(format, &text) else { continue };
        let Ok(definition) = Definition::new(&root) else { continue };
        let Ok(plan) = Plan::new(&definition, &std::collections::BTreeMap::new()) else { continue };
        let _ = crate::api::model::flow_tasks(&plan);
        let back = crate::api::model::parse_flow(root.to_value().to_string().as_bytes());
        assert_eq!(back.map(|back| back.tasks.len()).ok(), Some(plan.tasks.len()), "a flow is what it was");
        for picture in [graph::Picture::Text, graph::Picture::Dot, graph::Picture::Mermaid] {
            let _ = graph::draw(&plan, picture);
        }
    }
}

/// A payload with holes, and what is filled in: what comes out of JSON is JSON.
fn holes(bytes: &[u8]) {
    use crate::flow::fill::{fill, references};
    let text = String::from_utf8_lossy(bytes);
    let (payload, body) =
        text.split_once("---").unwrap_or((&text, "{\"result\": {\"a\": [1, \"x\"]}, \"stdout\": \"y\"}"));
    let _ = references(payload);
    let left = [("a".to_owned(), body.to_owned())].into();
    let was = serde_json::from_str::<&serde_json::value::RawValue>(payload).is_ok();
    if let Ok(filled) = fill(payload, &left, 1 << 20) {
        let is = serde_json::from_str::<&serde_json::value::RawValue>(&filled).is_ok();
        assert!(is || !was, "{payload:?} became {filled:?}");
    }
}

fn units(bytes: &[u8]) {
    use crate::config::units::{parse_duration, parse_size, show_duration, show_size};
    let text = String::from_utf8_lossy(bytes);
    if let Ok(duration) = parse_duration(&text) {
        let _ = show_duration(duration);
    }
    if let Ok(size) = parse_size(&text) {
        let _ = show_size(size);
    }
    let _ = crate::api::model::parse_rfc3339(&text);
    let _ = text.parse::<rc_scheduler::TaskId>();
    let _ = text.parse::<rc_scheduler::DeviceId>();
}

fn configuration(bytes: &[u8]) {
    drop(toml::from_str::<crate::config::Layer>(&String::from_utf8_lossy(bytes)));
}
