//! The node's API: HTTP on a unix socket, for this device's own commands, and on a TCP port, for programs that have the token.
//! Knows the node through [`NodeApi`] only, and decides nothing about tasks.

mod body;
mod guard;
mod large;
pub mod model;
mod node;
mod problem;
mod registered;
mod routes;
mod serve;
mod state;
mod token;

pub use node::NodeApi;
pub use problem::{Code, Problem};
pub use routes::{door_http, door_socket};
pub use serve::{HttpServer, SocketServer, serve_http, serve_socket};
pub use state::App;
pub use token::{TOKEN_FILE, Token, TokenError};
