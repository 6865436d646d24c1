//! What is said of a task that has failed for good.

use super::*;

#[test]
fn a_task_that_fails_in_its_last_attempt_raises_an_alert_and_gives_its_room_back() {
    let mut core = Core::new();
    let mut spec = echo();
    spec.retry.max_retries = 0;
    core.submit(spec);
    core.persisted();
    let (task, epoch) = core.core.view().running().next().expect("it runs");
    assert_eq!(core.core.view().open_leases(device(ME)), 1);
    let ended = AttemptEvent::Ended(outcome(Some(ErrorClass::Network)));
    assert_eq!(core.does(Input::Attempt { task, epoch, event: ended }), ["persist finished, settled"]);
    assert_eq!(core.core.view().open_leases(device(ME)), 0, "the reservation is free");
    let effects = core.effects(Input::Persisted { upto: u64::MAX });
    let alerts = |effects: &[Effect]| -> Vec<(TaskId, ErrorClass, u32)> {
        let alert = |effect: &Effect| match effect {
            Effect::Notify(Event::Alert { task, class, attempts, .. }) => Some((*task, *class, *attempts)),
            _ => None,
        };
        effects.iter().filter_map(alert).collect()
    };
    assert_eq!(alerts(&effects), [(task, ErrorClass::Network, 1)]);
    assert_eq!(core.status(), Status::Failed);
    assert_eq!(alerts(&core.effects(Input::Persisted { upto: u64::MAX })), [], "once");
}
