//! Listens, accepts, and hands connections to the routes; bounds how many there are, how long headers may take and how large they
//! may be. Knows nothing of what is asked.

mod connection;
mod http;
mod socket;
mod visit;

pub use http::{HttpServer, serve_http};
pub use socket::{SocketServer, serve_socket};
