//! Nobody outlives a task: not by hiding, not by ignoring, not by the death of those who should have ended it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::cell::{Cell, alive_with, cells, eventually, open, program as program_of_tests, quick, token};
use rc_node::handlers::command::CommandGrants;
use rc_node::handlers::{ErrorClass, TaskLimits};
use rc_node::sandbox::{Hold, ProcessLimits, Program, Shelter, ShelterConfig, Tier};
use serde_json::json;

/// A child, one in a session of its own, one that daemonised, and one that ignores what it can.
fn hiding(token: &str) -> String {
    format!(
        "sleep {token} & setsid sleep {token} & (setsid sh -c 'sleep {token} >/dev/null 2>&1 </dev/null &' &) ; \
         (trap '' TERM HUP INT; (trap '' TERM; nohup sleep {token} >/dev/null 2>&1 </dev/null &) ) & echo ready; wait"
    )
}

#[tokio::test]
async fn nobody_outlives_a_timeout() {
    for cell in cells().await {
        let token = token();
        let payload = json!({"command": format!("{}; sleep {token}", hiding(&token)), "shell": true, "timeout": 0.6});
        let (ctx, done) = cell.run_with(quick(), payload).await;
        assert_eq!(done.unwrap_err().class, ErrorClass::TimeoutError);
        assert!(ctx.captured().0.text().contains("ready"));
        eventually("0 survivors", || alive_with(&token).is_empty()).await;
    }
}

#[tokio::test]
async fn nobody_outlives_a_normal_end() {
    for cell in cells().await {
        let token = token();
        let script = format!("({}) & sleep 0.3; exit 0", hiding(&token));
        let begin = Instant::now();
        let done = cell.run(json!({"command": script, "shell": true})).await.unwrap();
        assert_eq!(done["return_code"], 0);
        assert!(begin.elapsed() < Duration::from_secs(8), "held pipes hold nobody up");
        eventually("0 survivors", || alive_with(&token).is_empty()).await;
    }
}

/// As [`hiding`], with nothing in the environment to know anybody by.
fn hiding_without_a_name(token: &str) -> String {
    format!(
        "env -i setsid sh -c 'sleep {token} >/dev/null 2>&1 </dev/null & sleep {token} >/dev/null 2>&1 </dev/null &' ; \
         (env -i nohup sleep {token} >/dev/null 2>&1 </dev/null &) ; echo ready"
    )
}

#[tokio::test]
async fn nobody_outlives_a_task_where_nothing_holds_it() {
    let Some(cell) = Cell::new(Tier::Limits, CommandGrants::default()).await else { return };
    let rounds: [fn(&str) -> String; 2] = [|token| hiding(token), |token| hiding_without_a_name(token)];
    for hide in rounds {
        let token = token();
        let timeout = json!({"command": format!("{}; sleep {token}", hide(&token)), "shell": true, "timeout": 0.6});
        let (ctx, done) = cell.run_with(quick(), timeout).await;
        assert_eq!(done.unwrap_err().class, ErrorClass::TimeoutError);
        assert!(ctx.captured().0.text().contains("ready"));
        eventually("0 survivors of a timeout", || alive_with(&token).is_empty()).await;

        let token = self::token();
        let ends = json!({"command": format!("({}) & sleep 0.3; exit 0", hide(&token)), "shell": true});
        assert_eq!(cell.run(ends).await.unwrap()["return_code"], 0);
        eventually("0 survivors of an end", || alive_with(&token).is_empty()).await;

        let token = self::token();
        let dropped = json!({"command": format!("{}; sleep {token}", hide(&token)), "shell": true});
        tokio::select! {
            _ = rc_node::handlers::TaskHandler::execute(&cell.handler, cell.ctx(quick()), dropped) => {
                panic!("it ended by itself")
            }
            () = eventually("it runs", || alive_with(&token).len() >= 3) => {}
        }
        eventually("0 survivors of a task that is dropped", || alive_with(&token).is_empty()).await;
    }
    assert_eq!(cell.shell("echo still there").await, "still there\n");
}

#[tokio::test]
async fn what_a_node_left_that_was_killed_dies_when_it_starts_again() {
    let Some(cell) = Cell::new(Tier::Limits, CommandGrants::default()).await else { return };
    let work = cell.shelter.work_root().join("left");
    std::fs::create_dir(&work).unwrap();
    open(&work, 0o777);
    let token = token();
    let argv = ["-c".to_owned(), format!("{}; exec sleep {token}", hiding_without_a_name(&token))];
    let program = Program {
        program: "/bin/sh".into(),
        args: argv.map(Into::into).into(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        cwd: PathBuf::new(),
        stdin: false,
        limits: ProcessLimits::default(),
    };
    let groups = Vec::new();
    let hold = Hold { work, network: false, read: Vec::new(), write: Vec::new(), processes_max: 64, groups };
    let process = cell.shelter.launch(program, &hold).await.unwrap();
    eventually("they run", || alive_with(&token).len() >= 3).await;
    // As after `kill -9`: nobody is told that it is over.
    std::mem::forget(process);
    let elsewhere = tempfile::tempdir().unwrap();
    let shelter = |root: &Path| {
        let work_root = root.to_owned();
        Shelter::new(ShelterConfig { program: program_of_tests(), work_root, tier_max: Tier::Limits })
    };
    shelter(elsewhere.path()).await.unwrap();
    assert!(alive_with(&token).len() >= 3, "another node's programs are its own affair");
    shelter(cell.shelter.work_root()).await.unwrap();
    eventually("0 survivors", || alive_with(&token).is_empty()).await;
}

#[tokio::test]
async fn a_cancel_gives_time_to_tidy_up_and_no_more() {
    for cell in cells().await {
        let ctx = cell.ctx(TaskLimits { stop_grace: Duration::from_secs(5), ..quick() });
        let polite = json!({"command": "trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.05; done", "shell": true});
        let cancel = async {
            eventually("it is ready", || ctx.captured().0.text().contains("ready")).await;
            ctx.cancel_token().cancel();
            Instant::now()
        };
        let (done, cancelled) =
            tokio::join!(rc_node::handlers::TaskHandler::execute(&cell.handler, ctx.clone(), polite), cancel);
        assert_eq!(done.unwrap_err().class, ErrorClass::Preempted);
        assert_eq!(ctx.captured().0.text(), "ready\ntidy\n", "{}", cell.tier.text());
        assert!(cancelled.elapsed() < Duration::from_secs(4), "it did not wait for the whole grace");

        let token = token();
        let ctx = cell.ctx(quick());
        let stubborn = format!("trap '' TERM; echo ready; while :; do sleep {token}; done");
        let stubborn = json!({"command": stubborn, "shell": true});
        let cancel = async {
            eventually("it is ready", || ctx.captured().0.text().contains("ready")).await;
            ctx.cancel_token().cancel();
        };
        let (done, ()) =
            tokio::join!(rc_node::handlers::TaskHandler::execute(&cell.handler, ctx.clone(), stubborn), cancel);
        assert_eq!(done.unwrap_err().result.unwrap()["return_code"], 137);
        eventually("0 survivors", || alive_with(&token).is_empty()).await;
    }
}

#[tokio::test]
async fn dropping_a_task_half_way_kills_it() {
    for cell in cells().await {
        let token = token();
        let ctx = cell.ctx(quick());
        let payload = json!({"command": hiding(&token), "shell": true});
        tokio::select! {
            _ = rc_node::handlers::TaskHandler::execute(&cell.handler, ctx.clone(), payload) => panic!("it ended by itself"),
            () = eventually("it runs", || alive_with(&token).len() >= 2) => {}
        }
        eventually("0 survivors", || alive_with(&token).is_empty()).await;
    }
}

#[tokio::test]
async fn when_the_spawner_is_killed_its_programs_die_and_the_next_one_starts() {
    for cell in cells().await {
        let token = token();
        let payload = json!({"command": hiding(&token), "shell": true});
        let ctx = cell.ctx(quick());
        let kill = async {
            eventually("it runs", || alive_with(&token).len() >= 2).await;
            let own: Vec<i32> =
                alive_with("spawner").into_iter().filter(|pid| parent(*pid) == std::process::id()).collect();
            assert!(!own.is_empty());
            for pid in own {
                assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
            }
        };
        let (done, ()) = tokio::join!(rc_node::handlers::TaskHandler::execute(&cell.handler, ctx, payload), kill);
        assert_eq!(done.unwrap_err().class, ErrorClass::ResourceExhausted);
        eventually("0 survivors", || alive_with(&token).is_empty()).await;
        assert_eq!(cell.shell("echo again").await, "again\n");
    }
}

fn parent(pid: i32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split(' ').nth(1).and_then(|parent| parent.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn what_a_whole_tree_used_is_counted() {
    for cell in cells().await {
        let script = "for n in 1 2 3; do sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done' & done; wait";
        let (ctx, done) = cell.run_with(quick(), json!({"command": script, "shell": true})).await;
        assert!(done.is_ok());
        let usage = ctx.usage();
        assert!(usage.cpu_micros.is_some_and(|us| us > 5_000), "{usage:?}");
        assert!(usage.memory_bytes_max.is_some_and(|bytes| bytes > 500_000), "{usage:?}");
        // One that is killed counts too, as far as it was seen.
        let burn = json!({"argv": ["sh", "-c", "while :; do :; done"], "timeout": 0.5});
        let (ctx, _) = cell.run_with(quick(), burn).await;
        assert!(ctx.usage().cpu_micros.is_some_and(|us| us > 5_000), "{:?}", ctx.usage());
    }
}
