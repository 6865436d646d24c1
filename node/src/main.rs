//! The `rc-node` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next().as_deref()) {
        (Some("__worker"), Some(kind)) => rc_node::worker_main(kind),
        _ => ExitCode::SUCCESS,
    }
}
