//! Talks to the daemon of this device: HTTP/1.1 over its unix socket, one request after another on one connection.
//! Knows the API's paths and errors, and nothing of terminals.

mod connection;

pub use connection::{Answer, Client, ClientError, path_part};
