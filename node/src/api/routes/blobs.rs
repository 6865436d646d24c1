//! `/v1/blobs`: large data in and out, as streams. There is no delete: a blob goes with the tasks that name it, or after a while if none
//! does.

use crate::api::body::discard;
use crate::api::large::chunks;
use crate::api::model::{BlobView, BlobsView};
use crate::api::node::NodeApi;
use crate::api::problem::{Code, Problem};
use crate::api::state::App;
use crate::blobs::Blobs;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::TryStreamExt;
use rc_scheduler::BlobHash;
use std::io;
use std::ops::Range;
use tokio_util::io::StreamReader;

const LIST_MAX: usize = 10_000;

/// The node's blobs, or why there are none.
pub(super) fn of<N: NodeApi>(app: &App<N>) -> Result<&Blobs, Problem> {
    app.node().blobs().ok_or_else(|| Problem::new(Code::NoRoute, "this node keeps no blobs"))
}

pub(super) async fn put<N: NodeApi>(
    State(app): State<App<N>>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<BlobView>), Problem> {
    let blobs = of(&app)?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let mut rest = body.into_data_stream();
    let source = StreamReader::new((&mut rest).map_err(io::Error::other));
    match blobs.put(source, length, blobs.bytes_max()).await {
        Ok(blob) => Ok((StatusCode::CREATED, Json(blob.into()))),
        Err(error) => {
            discard(&mut rest).await;
            Err(error.into())
        }
    }
}

pub(super) async fn list<N: NodeApi>(State(app): State<App<N>>) -> Result<Json<BlobsView>, Problem> {
    let blobs = of(&app)?;
    Ok(Json(BlobsView::new(&blobs.list(LIST_MAX), blobs.stats())))
}

pub(super) async fn get<N: NodeApi>(
    State(app): State<App<N>>,
    Path(hash): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let hash: BlobHash = hash.parse().map_err(|error| Problem::new(Code::InvalidRequest, format!("{error}")))?;
    let reader = of(&app)?.open_blob(hash, None).await?;
    let whole = reader.blob().bytes;
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let range = match asked.map(|text| part(text, whole)) {
        // A range that makes no sense, or several of them, may be ignored (RFC 9110).
        None | Some(Part::Whole) => 0..whole,
        Some(Part::Range(range)) => range,
        Some(Part::Beyond) => {
            let text = format!("bytes */{whole}");
            let problem = Problem::new(Code::Range, format!("the blob has {whole} bytes"));
            return Ok(([(header::CONTENT_RANGE, text)], problem).into_response());
        }
    };
    let length = range.end - range.start;
    let partial = length != whole;
    let content_range = format!("bytes {}-{}/{whole}", range.start, range.end.saturating_sub(1));
    let mut response = Body::from_stream(chunks(reader.part(range))).into_response();
    if partial {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let headers = response.headers_mut();
    let mut set = |name, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, "application/octet-stream".to_owned());
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    set(header::ETAG, format!("\"{hash}\""));
    set(header::CONTENT_LENGTH, length.to_string());
    if partial {
        set(header::CONTENT_RANGE, content_range);
    }
    Ok(response)
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Range(Range<u64>),
    Beyond,
}

/// Which part a `Range` header asks for: `bytes=0-9`, `bytes=10-`, `bytes=-5`.
fn part(text: &str, whole: u64) -> Part {
    let Some((from, to)) = text.trim().strip_prefix("bytes=").and_then(|text| text.split_once('-')) else {
        return Part::Whole;
    };
    let number = |text: &str| if text.is_empty() { Some(None) } else { text.trim().parse::<u64>().ok().map(Some) };
    match (number(from), number(to)) {
        (Some(Some(from)), Some(to)) => {
            let end = to.map_or(whole, |to| to.saturating_add(1).min(whole));
            match from {
                from if from >= whole => Part::Beyond,
                from if from < end => Part::Range(from..end),
                _ => Part::Whole,
            }
        }
        (Some(None), Some(Some(0))) => Part::Beyond,
        (Some(None), Some(Some(last))) => Part::Range(whole.saturating_sub(last)..whole),
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (text, part_of_100) in [
            ("bytes=0-9", Part::Range(0..10)),
            ("bytes=90-", Part::Range(90..100)),
            ("bytes=90-1000", Part::Range(90..100)),
            ("bytes=-5", Part::Range(95..100)),
            ("bytes=-500", Part::Range(0..100)),
            ("bytes=100-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=9-3", Part::Whole),
            ("bytes=a-3", Part::Whole),
            ("bytes=0-3,5-7", Part::Whole),
            ("lines=0-3", Part::Whole),
            ("bytes=-", Part::Whole),
        ] {
            assert_eq!(part(text, 100), part_of_100, "{text}");
        }
    }
}
