//! No way to files that were not given: by name, by link, by the back door of `/proc`, by number.

use super::cell::{Victim, all_refused, cells};
use rc_node::sandbox::Tier;

#[tokio::test]
async fn nothing_outside_is_read_or_written() {
    for cell in cells().await {
        let mut victim = Victim::new();
        let (outside, node, other) = (cell.outside.display(), std::process::id(), victim.0.id());
        let seen = cell
            .attack(&format!(
                r#"
secret = "{outside}/secret"
def read(path):
    with open(path, "rb") as f: f.read(10)
def by_link():
    os.symlink(secret, "link"); read("link")
def by_directory_link():
    os.symlink("{outside}", "dir"); read("dir/secret")
def by_hard_link():
    os.link(secret, "hard"); read("hard")
def by_rename():
    os.rename(secret, "mine")
def by_handle():
    buffer = ctypes.create_string_buffer(256); ctypes.cast(buffer, ctypes.POINTER(ctypes.c_uint))[0] = 128
    call(libc.name_to_handle_at, -100, b"/", buffer, ctypes.byref(ctypes.c_int()), 0)
    fd = os.open("/", os.O_RDONLY); call(libc.open_by_handle_at, fd, buffer, 0)
attempt("path", lambda: read(secret))
attempt("dots", lambda: read("../../../../../../.." + secret))
attempt("link", by_link)
attempt("directory link", by_directory_link)
attempt("hard link", by_hard_link)
attempt("rename", by_rename)
attempt("handle", by_handle)
attempt("list", lambda: os.listdir("{outside}"))
attempt("own root", lambda: read("/proc/self/root" + secret))
attempt("own cwd", lambda: read("/proc/self/cwd/../../outside/secret"))
attempt("root of 1", lambda: read("/proc/1/root" + secret))
attempt("environ of the node", lambda: read("/proc/{node}/environ"))
attempt("root of the node", lambda: read("/proc/{node}/root" + secret))
attempt("environ of another", lambda: read("/proc/{other}/environ"))
attempt("memory of another", lambda: read("/proc/{other}/mem"))
attempt("files of another", lambda: os.listdir("/proc/{other}/fd"))
attempt("write", lambda: open("{outside}/secret", "w").write("x"))
attempt("truncate", lambda: os.truncate(secret, 0))
attempt("create", lambda: open("{outside}/new", "w"))
attempt("remove", lambda: os.remove(secret))
attempt("directory", lambda: os.mkdir("{outside}/new"))
attempt("system", lambda: open("/usr/bin/new-program", "w"))
attempt("configuration", lambda: open("/etc/new-file", "w"))
attempt("passwords", lambda: read("/etc/shadow"))
attempt("ssh key", lambda: read("/etc/ssh/ssh_host_rsa_key"))
attempt("homes", lambda: os.listdir("/root"))
attempt("disk", lambda: read("/dev/vda"))
attempt("kernel memory", lambda: read("/dev/mem"))
attempt("terminal", lambda: read("/dev/tty"))
attempt("kernel settings", lambda: open("/proc/sys/kernel/core_pattern", "w"))
attempt("crash", lambda: open("/proc/sysrq-trigger", "w").write("c"))
attempt("device", lambda: os.mknod("zero", 0o20666, os.makedev(1, 5)))
"#
            ))
            .await;
        all_refused(cell.tier, &seen, 32);
        assert_eq!(std::fs::read_to_string(cell.outside.join("secret")).unwrap(), "secret");
        assert_eq!(std::fs::read_dir(&cell.outside).unwrap().count(), 1, "something was made outside");
        assert!(victim.is_alive());
    }
}

#[tokio::test]
async fn links_made_by_somebody_else_lead_nowhere_either() {
    for cell in cells().await {
        // A task cannot plant these itself; the one before it with the same directory could have.
        let script = format!("ln -s {}/secret here; cat here", cell.outside.display());
        let error = cell.run(serde_json::json!({"command": script, "shell": true})).await.unwrap_err();
        assert_eq!(error.result.unwrap()["stdout"], "");
    }
}

#[tokio::test]
async fn what_programs_need_is_there() {
    for cell in cells().await {
        let text = cell
            .shell(
                "set -e; echo a >b; mkdir c; mv b c; cat c/b; echo $((6*7)) | sort; ls /usr/bin/env; awk 'BEGIN{print 3}'; \
                 echo gone >/dev/null; head -c 4 /dev/urandom | wc -c; mktemp -p \"$TMPDIR\" >/dev/null; cd ~; echo >x; \
                 command -v sh >/dev/null; find . -name b",
            )
            .await;
        assert_eq!(text, "a\n42\n/usr/bin/env\n3\n4\n./c/b\n", "{}", cell.tier.text());
        let seen = cell
            .attack(
                r#"
import json, tempfile, threading, multiprocessing
def threads():
    all = [threading.Thread(target=lambda: None) for _ in range(8)]
    [t.start() for t in all]; [t.join() for t in all]
def child():
    if subprocess.run(["/bin/echo", "x"], capture_output=True).stdout != b"x\n": raise ValueError
def temporary():
    with tempfile.TemporaryFile() as f: f.write(b"x")
def signals():
    p = subprocess.Popen(["/bin/sleep", "100"]); p.terminate(); p.wait()
attempt("threads", threads)
attempt("child", child)
attempt("temporary", temporary)
attempt("signals to its own", signals)
"#,
            )
            .await;
        assert!(seen.values().all(|what| what == "done"), "{} {seen:?}", cell.tier.text());
        if cell.tier == Tier::Namespaces {
            let text = cell.shell("pwd; echo $HOME; echo x >/tmp/y; cat /task/y; hostname 2>/dev/null || cat /proc/sys/kernel/hostname; ls /").await;
            assert!(text.starts_with("/task\n/task\nx\nrc-node\n"), "{text}");
            assert!(!text.contains("home") && !text.contains("root") && !text.contains("sys\n"), "{text}");
        }
    }
}
