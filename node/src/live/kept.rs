//! What the result of a task keeps of what it wrote: the beginning of each stream, up to a cap.

use crate::blobs::BodyBlobs;
use crate::driver::{Handle, TaskReport};
use crate::handlers::Stream;
use serde::Deserialize;

/// Both streams.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) streams: [(Stream, String); 2],
    /// There was more of at least one.
    pub(super) truncated: bool,
}

impl Kept {
    /// Nothing, if there is no result or its blob cannot be had.
    pub(super) async fn of(handle: &Handle, report: &TaskReport) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Body {
            stdout: String,
            stderr: String,
            truncated: bool,
            result: serde_json::Value,
        }
        let bytes = match &report.outcome {
            None => Vec::new(),
            Some(outcome) => match BodyBlobs::of(&outcome.body).body {
                Some(blob) => {
                    let blobs = handle.blobs();
                    blobs.load(blob, blobs.payload_bytes_max()).await.unwrap_or_default()
                }
                None => outcome.body.to_vec(),
            },
        };
        let body: Body = serde_json::from_slice(&bytes).unwrap_or_default();
        // What is said of a program that could not be started is in the result alone.
        let kept = |text: String, name: &str| match body.result[name].as_str() {
            Some(said) if text.is_empty() && body.result["return_code"].is_i64() => said.to_owned(),
            _ => text,
        };
        let streams = [(Stream::Stdout, kept(body.stdout, "stdout")), (Stream::Stderr, kept(body.stderr, "stderr"))];
        Self { streams, truncated: body.truncated }
    }
}
