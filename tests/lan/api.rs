//! The node's API over its unix socket: one request per connection, nothing kept. Fast enough for thousands, and it works whatever
//! network the device is on, or however badly.
//!
//! Knows HTTP as far as it must, and no field of any answer.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// The way to a node, whether it runs or not.
#[derive(Clone, Debug)]
pub struct Api {
    pub socket: PathBuf,
}

/// What a node said.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    /// Its body, read as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its body as JSON if the request was carried out.
    pub fn ok(self) -> Result<Value, String> {
        if self.status / 100 == 2 { Ok(self.json()) } else { Err(format!("{}: {}", self.status, self.body)) }
    }
}

impl Api {
    /// Sends a request and waits at most so long between two pieces of the answer. `Err` says nothing about whether it was carried out.
    pub fn call(&self, method: &str, path: &str, body: &str, patience: Duration) -> io::Result<Answer> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let length = body.len();
        // The older version of HTTP has no chunks: the answer ends where the connection does.
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        parse(&bytes).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// `GET`.
    pub fn get(&self, path: &str, patience: Duration) -> io::Result<Answer> {
        self.call("GET", path, "", patience)
    }
}

/// `None` if the answer is not whole.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = length.is_none_or(|length| body.len() == length);
    whole.then(|| Answer { status, body: body.to_owned() })
}
