//! No way to the network, nor to sockets of other processes of the device.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::cell::{Cell, all_refused, cells, open, token};
use rc_node::handlers::command::CommandGrants;
use rc_node::handlers::{ErrorClass, SandboxAsk, TaskLimits};
use rc_node::sandbox::Tier;

#[tokio::test]
async fn no_socket_reaches_anybody() {
    for cell in cells().await {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let name = format!("rc-node-{}", token());
        let abstract_listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        abstract_listener.set_nonblocking(true).unwrap();
        let path = cell.outside.join("socket");
        let path_listener = UnixListener::bind(&path).unwrap();
        path_listener.set_nonblocking(true).unwrap();
        open(&path, 0o777);
        let path = path.display();
        let seen = cell
            .attack(&format!(
                r#"
def unix(address, kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_UNIX, kind); s.connect(address)
attempt("tcp", lambda: socket.create_connection(("127.0.0.1", {port}), 2))
attempt("tcp6", lambda: socket.create_connection(("::1", {port}), 2))
attempt("mapped", lambda: socket.create_connection(("::ffff:127.0.0.1", {port}), 2))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", {port})))
attempt("listen", lambda: socket.create_server(("0.0.0.0", 0)))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
attempt("alg", lambda: socket.socket(38, socket.SOCK_SEQPACKET))
attempt("abstract", lambda: unix("\0{name}"))
attempt("path", lambda: unix("{path}"))
attempt("io_uring", lambda: call(libc.syscall, ctypes.c_long(425), ctypes.c_long(8), ctypes.create_string_buffer(256)))
attempt("high half", lambda: call(libc.syscall, ctypes.c_long(41), ctypes.c_long(2 | 1 << 32), ctypes.c_long(1), ctypes.c_long(0)))
"#
            ))
            .await;
        all_refused(cell.tier, &seen, 14);
        assert!(listener.accept().is_err(), "somebody connected");
        assert!(abstract_listener.accept().is_err(), "somebody connected");
        assert!(path_listener.accept().is_err(), "somebody connected");
        assert_eq!(seen["io_uring"], "EPERM");
        assert_eq!(seen["tcp"], "EACCES");
        if cell.tier == Tier::Namespaces && !cell.shelter.own_network() {
            eprintln!("note: no network of its own here; the filter alone refused");
        }
    }
}

#[tokio::test]
async fn a_pair_of_sockets_inside_still_works() {
    for cell in cells().await {
        let seen = cell
            .attack(
                r#"
def pair():
    a, b = socket.socketpair()
    a.send(b"x")
    if b.recv(1) != b"x": raise ValueError
attempt("pair", pair)
"#,
            )
            .await;
        assert_eq!(seen["pair"], "done", "{}", cell.tier.text());
    }
}

#[tokio::test]
async fn a_task_that_asks_and_is_granted_reaches_the_network() {
    let grants = CommandGrants { network: true, ..CommandGrants::default() };
    for tier in [Tier::Namespaces, Tier::Filters] {
        let Some(cell) = Cell::new(tier, grants.clone()).await else { continue };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connect = format!(r#"attempt("tcp", lambda: socket.create_connection(("127.0.0.1", {port}), 2))"#);
        let asks = SandboxAsk { allow_network: Some(true), ..SandboxAsk::default() };
        let limits = TaskLimits { sandbox: asks.clone(), ..TaskLimits::default() };
        let (_, done) = cell.run_with(limits.clone(), super::cell::attack(&connect)).await;
        assert_eq!(done.unwrap()["stdout"], "tcp: done\n");
        assert_eq!(cell.attack(&connect).await["tcp"], "EACCES", "one that does not ask, beside it");

        let Some(strict) = Cell::new(tier, CommandGrants::default()).await else { continue };
        let (_, done) = strict.run_with(limits, super::cell::attack(&connect)).await;
        assert_eq!(done.unwrap_err().class, ErrorClass::PermissionDenied);
    }
}
