//! Sends JSON to one address that the owner of the device chose, whatever its host is; follows no redirect and reads no body.

use super::address::AllowedTarget;
use super::dial::Dialler;
use super::exchange::send;
use super::payload::check;
use crate::alerts::Post;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use std::sync::Arc;
use url::Url;

/// The address and the way to it.
pub(crate) struct Poster {
    url: Url,
    dialler: Dialler,
}

impl Poster {
    /// A way to the address.
    pub(crate) fn new(url: &str) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        check(&url)?;
        let everything = ["0.0.0.0/0", "[::]/0"].map(str::parse::<AllowedTarget>);
        let everything = everything.into_iter().collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        Ok(Self { url, dialler: Dialler::new(everything, Arc::new(|_| false)) })
    }

    /// Takes these authorities for true, and no others.
    #[cfg(test)]
    pub(crate) fn trust(&mut self, roots: rustls::RootCertStore) {
        self.dialler.trust(roots);
    }
}

impl Post for Poster {
    async fn post(&self, body: Vec<u8>) -> Result<u16, String> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let sent = send(&self.dialler, &self.url, Method::POST, headers, Bytes::from(body)).await;
        sent.map(|status| status.as_u16()).map_err(|error| error.message)
    }
}
