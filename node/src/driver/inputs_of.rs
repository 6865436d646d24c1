//! What an attempt is given of the tasks that it waited for: the holes of its payload are filled when it starts. A result that is so long
//! that it lies in a blob is read for it; a blob that a result names is named by its hash, and the record of the task that is given the
//! result keeps it.

use crate::api::model::used_names;
use crate::blobs::{BlobError, Blobs, BodyBlobs};
use crate::flow::fill::{FillError, fill};
use rc_scheduler::Start;
use std::collections::BTreeMap;

/// Why an attempt has no payload.
#[derive(Debug)]
pub(super) enum PayloadError {
    /// Something large cannot be had.
    Blob(BlobError),
    /// A hole cannot be filled.
    Fill(FillError),
}

impl From<BlobError> for PayloadError {
    fn from(error: BlobError) -> Self {
        Self::Blob(error)
    }
}

/// The payload with its holes filled; as it is, if it uses nothing.
pub(super) async fn filled(blobs: &Blobs, start: &Start, payload: Vec<u8>) -> Result<Vec<u8>, PayloadError> {
    if start.inputs.is_empty() {
        return Ok(payload);
    }
    let mut left = BTreeMap::new();
    for (name, (_, body)) in used_names(&start.spec).into_iter().zip(&start.inputs) {
        let body = match BodyBlobs::of(body).body {
            Some(blob) => blobs.load(blob, blobs.payload_bytes_max()).await?,
            None => body.to_vec(),
        };
        left.insert(name, String::from_utf8_lossy(&body).into_owned());
    }
    let text = String::from_utf8(payload).map_err(|error| PayloadError::Fill(FillError::Json(error.to_string())))?;
    let bytes_max = usize::try_from(blobs.payload_bytes_max()).unwrap_or(usize::MAX);
    fill(&text, &left, bytes_max).map(String::into_bytes).map_err(PayloadError::Fill)
}
