//! Runs that once broke a promise, by class and seed, with what was wrong. Seeds mean something else when the simulator draws
//! differently; they are kept because they cost little and visit corners that broke before.

use rc_sim::{Class, Detail, Plan, run};

/// For seeds whose cause nobody wrote down.
const NOT_NOTED: &str = "failed before";

/// Class, seed, and what was wrong.
const FIXED: &[(Class, u64, &str)] = &[
    (Class::None, 46, NOT_NOTED),
    (Class::None, 48, "credits counted differently on the two sides"),
    (Class::None, 141, "a keyed task accepted at two devices was begun by both"),
    (Class::CrashOne, 170, "a fact of a later life did not revoke a death"),
    (Class::CrashOne, 658, "a fact of a later life did not revoke a death"),
    (Class::CrashOne, 1369, "a fact of a later life did not revoke a death"),
    (Class::DiskDeath, 10, NOT_NOTED),
    (Class::DiskDeath, 455, "a keeper that was gone counted among those in reserve for ever"),
    (Class::Flap, 1934, "a later settlement overturned a stable one"),
    (Class::Join, 714, "records with the same keys of facts cancelled each other out in digests"),
    (Class::Join, 2574, "a device that had just joined began a keyed task again"),
    (Class::Join, 4017, "not found was said before all members were known"),
    (Class::Join, 4095, "not found was said before the first hello"),
    (Class::Join, 5670, "a device that had just joined took over from one it had not met yet"),
    (Class::JoinDeath, 8207, "the simulator asked two devices that had met only each other for what they cannot know"),
    (Class::Leave, 5838, "the only keeper left waited for another one before it told an end"),
    (Class::Leave, 7391, "the only keeper left waited for another one before it told an end"),
    (Class::Mixed, 357, "an acknowledgement covered a missing frame"),
    (Class::Mixed, 2544, "the simulator did not tell a sleeping device that its disk works again"),
    (Class::Rollback, 5728, "an end of a forgotten lease took the place of the good outcome that was told"),
    (Class::Rollback, 6740, "who had forgotten what it stored was not sent it again"),
    (Class::SlowDisk, 442, "the simulator read before the last submit was answered"),
    (Class::SlowDisk, 512, "a disk that had been silent went on without asking"),
    (Class::SlowDisk, 634, NOT_NOTED),
    (Class::SlowDisk, 2455, "a lease that a silent disk had held up left when it came back"),
    (Class::SlowDisk, 14_328, "two heirs that got a record at the same moment both began it"),
];

#[test]
fn what_was_fixed_stays_fixed() {
    let mut broken = Vec::new();
    for (class, seed, what) in FIXED {
        let plan = Plan::of_seed(*seed).with_class(*class);
        if let Some(failure) = run(&plan, Detail::Hash, None).failure {
            broken.push(format!("cargo sim {plan} -v   ({what})\n    {}: {}", failure.invariant, failure.text));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
