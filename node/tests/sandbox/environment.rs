//! Who a program is, and what it inherits: nobody, and nothing.

use super::cell::cells;
use rc_node::sandbox::{Tier, task_user};
use serde_json::json;

#[tokio::test]
async fn a_program_is_nobody_in_particular_and_inherits_nothing() {
    for cell in cells().await {
        let done = cell.run(json!({"argv": ["env"], "env": {"MINE": "1", "LANG": "de_DE.UTF-8"}})).await.unwrap();
        let text = done["stdout"].as_str().unwrap();
        let mut names: Vec<_> = text.lines().map(|line| line.split_once('=').unwrap().0).collect();
        names.sort_unstable();
        assert_eq!(names, ["HOME", "LANG", "MINE", "PATH", "RC_TASK_EPOCH", "RC_TASK_ID", "TMPDIR"]);
        assert!(text.contains("LANG=de_DE.UTF-8\n"), "{text}");

        let seen = cell
            .attack(
                r#"
import resource
say = lambda name, what: print(f"{name}: {what}")
say("uid", ",".join(map(str, os.getresuid())))
say("gid", ",".join(map(str, os.getresgid())))
say("files", ",".join(str(n) for n in range(64) if not subprocess.run(["/bin/sh", "-c", f"true >&{n}"], stderr=subprocess.DEVNULL, close_fds=False).returncode))
say("no new privileges", call(libc.prctl, 39, 0, 0, 0, 0))
say("seccomp", call(libc.prctl, 21, 0, 0, 0, 0))
say("capabilities", sum(libc.prctl(23, n, 0, 0, 0) == 1 and libc.prctl(47, 1, n, 0, 0) == 1 for n in range(41)))
say("core", resource.getrlimit(resource.RLIMIT_CORE)[0])
say("open files", resource.getrlimit(resource.RLIMIT_NOFILE)[1])
say("mask", oct(os.umask(0)))
say("work", oct(os.stat(".").st_mode & 0o777))
say("nice", os.nice(0) >= 10)
say("leads", os.getpgid(0) == os.getpid())
"#,
            )
            .await;
        let uid = task_user().uid;
        assert_ne!(uid, 0);
        assert_eq!(seen["uid"], format!("{uid},{uid},{uid}"));
        assert!(!seen["gid"].split(',').any(|gid| gid == "0"), "{seen:?}");
        assert_eq!((seen["no new privileges"].as_str(), seen["seccomp"].as_str()), ("1", "2"));
        assert_eq!((seen["capabilities"].as_str(), seen["core"].as_str()), ("0", "0"));
        assert_eq!(
            (seen["open files"].as_str(), seen["mask"].as_str(), seen["work"].as_str()),
            ("256", "0o77", "0o700")
        );
        assert_eq!((seen["nice"].as_str(), seen["leads"].as_str()), ("True", "True"));
        assert_eq!(seen["files"], "0,1,2", "nothing but standard input, output and error is open");
        if cell.tier == Tier::Namespaces {
            let text = cell.shell("cat /proc/self/status; ls /proc | grep -c '^[0-9]'; cat /etc/passwd").await;
            for line in ["CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
                assert!(text.contains(line), "{line} {text}");
            }
            assert!(text.contains(&format!("task:x:{uid}:")) && !text.contains("root:"), "{text}");
        }
    }
}

#[tokio::test]
async fn what_cannot_start_says_so_like_a_shell() {
    use rc_node::handlers::ErrorClass;
    for cell in cells().await {
        let error = cell.run(json!({"argv": ["no-such-program-here"]})).await.unwrap_err();
        assert_eq!((error.class, &error.result.unwrap()["return_code"]), (ErrorClass::TaskError, &json!(127)));
        let error = cell.run(json!({"argv": ["/etc/passwd"]})).await.unwrap_err();
        assert_eq!((error.class, &error.result.unwrap()["return_code"]), (ErrorClass::TaskError, &json!(126)));
        let error = cell.run(json!({"argv": ["true"], "cwd": "/no/such/directory"})).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::InvalidPayload);
        let error = cell.run(json!({"argv": ["true", "x".repeat(4 << 20)]})).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::InvalidPayload, "{error}");
        let failed = cell.run(json!({"command": "echo out; echo err >&2; exit 3", "shell": true})).await.unwrap_err();
        assert_eq!(*failed.result.unwrap(), json!({"return_code": 3, "stdout": "out\n", "stderr": "err\n"}));
        let killed = cell.run(json!({"command": "kill -9 $$", "shell": true})).await.unwrap_err();
        assert_eq!(killed.result.unwrap()["return_code"], 137);
        let text = "line\n".repeat(40_000);
        let done = cell.run(json!({"argv": ["wc", "-c"], "stdin": text})).await.unwrap();
        assert_eq!(done["stdout"].as_str().unwrap().trim(), "200000");
    }
}
