//! What copies of stragglers buy, in virtual time: a bag does not wait for the one device that is worn out, and few attempts are made
//! for nothing.

use rc_sim::balance::stragglers::{alike, one_is_worn_out, with};
use rc_sim::clock::SECOND;
use rc_sim::rng::Rng;

#[test]
fn a_bag_does_not_wait_for_a_device_that_is_worn_out() {
    for seed in 0..3 {
        let (machines, jobs) = (one_is_worn_out(), alike(300, &mut Rng::new(seed)));
        let (plain, copied) = (with(&machines, &jobs, false).unwrap(), with(&machines, &jobs, true).unwrap());
        assert_eq!(plain.extra, 0, "nobody asked");
        assert!(copied.extra > 0 && copied.extra <= 40, "seed {seed}: {} attempts more", copied.extra);
        assert!(
            copied.makespan * 10 < plain.makespan * 8,
            "seed {seed}: {} s with copies, {} s without",
            copied.makespan / SECOND,
            plain.makespan / SECOND
        );
    }
}
