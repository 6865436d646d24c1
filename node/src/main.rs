//! The `rc-node` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == "__worker") {
        let kind = args.next().unwrap_or_default();
        return rc_node::worker_main(&kind.to_string_lossy());
    }
    rc_node::cli::main()
}
