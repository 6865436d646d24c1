//! The default seeds: each is run twice, must keep every promise, and must happen in exactly the same way both times.

use rc_sim::invariants::same_seed_same_trace;
use rc_sim::{Detail, Plan, run};

/// Seeds of the default run, dealt to the tests below so that they run side by side.
const SEEDS: u64 = 200;
const SHARES: u64 = 8;

fn share(share: u64) {
    let mut broken = Vec::new();
    for seed in (share..SEEDS).step_by(SHARES as usize) {
        let plan = Plan::of_seed(seed);
        let first = run(&plan, Detail::Hash, None);
        if let Some(failure) = first.failure {
            broken.push(format!("cargo sim {plan} -v\n    {}: {}", failure.invariant, failure.text));
            continue;
        }
        let second = run(&plan, Detail::Hash, None);
        if let Err(text) = same_seed_same_trace::check(&first, &second) {
            broken.push(format!("cargo sim {plan} --twice\n    same_seed_same_trace: {text}"));
        }
    }
    assert!(broken.is_empty(), "{} of {} seeds failed:\n{}", broken.len(), SEEDS / SHARES, broken.join("\n"));
}

macro_rules! shares {
    ($($name:ident = $number:literal,)+) => {
        $(
            #[test]
            fn $name() {
                share($number);
            }
        )+
    };
}

shares! {
    seeds_keep_every_promise_0 = 0,
    seeds_keep_every_promise_1 = 1,
    seeds_keep_every_promise_2 = 2,
    seeds_keep_every_promise_3 = 3,
    seeds_keep_every_promise_4 = 4,
    seeds_keep_every_promise_5 = 5,
    seeds_keep_every_promise_6 = 6,
    seeds_keep_every_promise_7 = 7,
}
