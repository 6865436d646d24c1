//! The parsers of `../targets` for libFuzzer, which finds its way by what an input reaches. `RC_FUZZ_TARGET` says which parser;
//! `run TARGET [options of libFuzzer]` builds it, with any stable compiler, and starts it.
#![no_main]

#[cfg(feature = "node")]
#[path = "../targets/http.rs"]
mod http;
#[cfg(feature = "node")]
#[path = "../targets/node.rs"]
mod node;
#[path = "../targets/protocol.rs"]
mod protocol;

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

/// As in `../targets.rs`.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
    pub weight: u64,
}

fn all() -> Vec<Target> {
    let all = protocol::all().into_iter();
    #[cfg(feature = "node")]
    let all = all.chain(node::all()).chain(http::all());
    all.filter(|target| target.weight > 0).collect()
}

fuzz_target!(|bytes: &[u8]| {
    static TARGET: OnceLock<Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("RC_FUZZ_TARGET").unwrap_or_default();
        let names: Vec<_> = all().iter().map(|target| target.name).collect();
        let found = all().into_iter().find(|target| target.name == name);
        let found = found.unwrap_or_else(|| panic!("RC_FUZZ_TARGET must be one of {}", names.join(" ")));
        // Where it keeps what it learns, the examples come first.
        if let Ok(dir) = std::env::var("RC_FUZZ_SEEDS") {
            for (n, seed) in (found.seeds)().iter().enumerate() {
                std::fs::write(format!("{dir}/example-{n}"), seed).expect("a directory to write to");
            }
            std::process::exit(0);
        }
        found
    });
    (target.run)(bytes);
});
