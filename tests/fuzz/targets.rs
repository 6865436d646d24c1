//! What bytes are thrown at, and examples of what each is meant to be given.

mod http;
mod node;
mod protocol;

/// One parser.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many times fewer inputs than others it is thrown in an ordinary run.
    pub weight: u64,
}

/// All of them.
pub fn all() -> Vec<Target> {
    protocol::all().into_iter().chain(node::all()).chain(http::all()).collect()
}
