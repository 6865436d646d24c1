//! What an `http_request` payload may say.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use crate::handlers::payload::missing;
use crate::handlers::{Fields, TaskError};

const FIELDS: [&str; 6] = ["url", "method", "headers", "data", "json", "timeout"];
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
const URL_BYTES_MAX: usize = 8 * 1024;
const HEADERS_MAX: usize = 100;
const HEADER_BYTES_MAX: usize = 32 * 1024;
const TIMEOUT_SECONDS_MAX: f64 = 300.0;

/// Headers that say how the message is framed and who is asked: ours to set.
const RESERVED: [&str; 12] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-connection",
    "proxy-authorization",
    "http2-settings",
];

/// A checked payload.
#[derive(Debug)]
pub(super) struct HttpPayload {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) timeout: Option<Duration>,
}

impl HttpPayload {
    pub(super) fn read(payload: &Value) -> Result<Self, TaskError> {
        let fields = Fields::new(payload, &FIELDS)?;
        let mut headers = headers(&fields.string_map("headers")?)?;
        let (kind, body) = body(&fields)?;
        if let Some(kind) = kind {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
        }
        let default = if body.is_some() { Method::POST } else { Method::GET };
        let timeout = fields.seconds("timeout", TIMEOUT_SECONDS_MAX)?;
        if timeout == Some(0.0) {
            return Err(TaskError::invalid("`timeout` must be more than 0 seconds"));
        }
        Ok(Self {
            url: target(fields.string("url")?.ok_or_else(|| missing("url"))?)?,
            method: fields.string("method")?.map_or(Ok(default), method)?,
            headers,
            body: body.unwrap_or_default(),
            timeout: timeout.map(Duration::from_secs_f64),
        })
    }
}

/// Checks where a request shall go, as far as its text tells.
pub(super) fn target(text: &str) -> Result<Url, TaskError> {
    if text.len() > URL_BYTES_MAX {
        return Err(TaskError::invalid(format!("`url` is longer than {URL_BYTES_MAX} bytes")));
    }
    let url = Url::parse(text).map_err(|e| TaskError::invalid(format!("`url` is none: {e}")))?;
    check(&url).map_err(TaskError::invalid)?;
    Ok(url)
}

/// What holds for the first address and for every redirect.
pub(super) fn check(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        let scheme: String = url.scheme().chars().take(32).collect();
        return Err(format!("`url` must begin with http:// or https://, not {scheme}:"));
    }
    if url.host().is_none() {
        return Err("`url` names no host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("`url` has a user name or a password; send them in a header".to_owned());
    }
    Ok(())
}

fn method(text: &str) -> Result<Method, TaskError> {
    let upper = text.to_ascii_uppercase();
    METHODS.into_iter().find(|method| method.as_str() == upper).ok_or_else(|| {
        let known: Vec<_> = METHODS.iter().map(Method::as_str).collect();
        TaskError::invalid(format!("`method` must be one of {}", known.join(", ")))
    })
}

fn headers(pairs: &[(&str, &str)]) -> Result<HeaderMap, TaskError> {
    let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if pairs.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(TaskError::invalid(format!(
            "more than {HEADERS_MAX} `headers`, or {HEADER_BYTES_MAX} bytes of them"
        )));
    }
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let shown: String = name.chars().take(64).collect();
        let wrong = || TaskError::invalid(format!("`headers.{shown}` is no header that can be sent"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        if RESERVED.contains(&name.as_str()) {
            return Err(TaskError::invalid(format!("`headers.{shown}` is set by the device that sends the request")));
        }
        map.insert(name, HeaderValue::from_str(value).map_err(|_| wrong())?);
    }
    Ok(map)
}

/// The body, and what kind it is if the headers do not say.
fn body(fields: &Fields<'_>) -> Result<(Option<&'static str>, Option<Bytes>), TaskError> {
    match (fields.value("data"), fields.value("json")) {
        (Some(_), Some(_)) => Err(TaskError::invalid("give `data` or `json`, not both")),
        (None, None) => Ok((None, None)),
        (None, Some(json)) => Ok((Some("application/json"), Some(json.to_string().into()))),
        (Some(Value::Object(_)), None) => {
            let pairs = fields.string_map("data")?;
            let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            Ok((Some("application/x-www-form-urlencoded"), Some(form.into())))
        }
        (Some(_), None) => {
            let text = fields.string("data")?.unwrap_or_default();
            Ok((Some("text/plain; charset=utf-8"), Some(text.to_owned().into())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_payload_becomes_a_request() {
        let read = |more: Value| {
            let mut payload = json!({"url": "https://example.org/x"});
            payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            HttpPayload::read(&payload).unwrap()
        };
        let plain = read(json!({}));
        assert_eq!((plain.method, plain.body.len(), plain.headers.len()), (Method::GET, 0, 0));
        let json = read(json!({"json": {"a": 1}}));
        assert_eq!((json.method, &json.body[..]), (Method::POST, br#"{"a":1}"#.as_slice()));
        assert_eq!(json.headers[CONTENT_TYPE], "application/json");
        let form = read(json!({"data": {"q": "a b&c"}, "method": "put", "headers": {"Content-Type": "x/y"}}));
        assert_eq!((form.method, &form.body[..]), (Method::PUT, b"q=a+b%26c".as_slice()));
        assert_eq!(form.headers[CONTENT_TYPE], "x/y");
        assert_eq!(read(json!({"timeout": 1.5})).timeout, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        let url = "https://example.org";
        let cases = [
            (json!({}), "`url` is missing"),
            (json!({"url": "example.org"}), "`url` is none"),
            (json!({"url": "file:///etc/passwd"}), "must begin with http"),
            (json!({"url": "gopher://example.org"}), "must begin with http"),
            (json!({"url": "http://"}), "`url` is none"),
            (json!({"url": "http://user:secret@example.org"}), "user name or a password"),
            (json!({"url": format!("http://example.org/{}", "x".repeat(9000))}), "longer than"),
            (json!({"url": url, "method": "CONNECT"}), "`method` must be one of GET"),
            (json!({"url": url, "headers": {"Host": "x"}}), "`headers.Host` is set by the device"),
            (json!({"url": url, "headers": {"Transfer-Encoding": "x"}}), "is set by the device"),
            (json!({"url": url, "headers": {"a b": "x"}}), "no header that can be sent"),
            (json!({"url": url, "headers": {"X": "a\r\nHost: b"}}), "`headers.X` is no header"),
            (json!({"url": url, "data": "a", "json": 1}), "not both"),
            (json!({"url": url, "data": 1}), "`data` must be a string"),
            (json!({"url": url, "timeout": 0}), "more than 0"),
            (json!({"url": url, "timeout": 301}), "between 0 and 300"),
            (json!({"url": url, "body": "x"}), "unknown payload field `body`"),
        ];
        for (payload, expected) in cases {
            let error = HttpPayload::read(&payload).unwrap_err();
            assert!(error.message.contains(expected), "{expected}: {}", error.message);
        }
    }
}
