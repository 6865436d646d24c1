//! Talks to the daemon of this device: HTTP/1.1 over its unix socket, one request after another on one connection.
//! Knows the API's paths and errors, and nothing of terminals.

mod blobs;
mod connection;

pub use blobs::{get_blob, put_blob};
pub use connection::{Answer, Client, ClientError, path_part};
