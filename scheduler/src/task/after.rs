//! What a task waits for, and in how many facts it is noted that all of it has come (rule 29). Pure.

use super::spec::TaskSpec;
use crate::id::TaskId;
use alloc::vec::Vec;

/// Most tasks that one task waits for.
pub const AFTER_MAX: usize = 1_024;
/// Most of them whose results it is given.
pub const USES_MAX: usize = 15;
/// Most facts about them in a record.
pub const DEPENDENCY_FACTS_MAX: usize = 16;

/// Dependencies whose completion is one fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DependencyGroup {
    /// The first names the fact.
    pub tasks: Vec<TaskId>,
    /// The task is given the result; then it is alone in its group.
    pub used: bool,
}

/// The groups of a task's dependencies: each alone while there are few of them, and always if its result is used.
#[must_use]
pub fn dependency_groups(spec: &TaskSpec) -> Vec<DependencyGroup> {
    let used = |place: usize| spec.uses.iter().any(|used| *used as usize == place);
    let rest = spec.after.len().saturating_sub(spec.uses.len());
    let size = rest.div_ceil(DEPENDENCY_FACTS_MAX.saturating_sub(spec.uses.len()).max(1)).max(1);
    let mut groups: Vec<DependencyGroup> = Vec::new();
    let mut open: Option<usize> = None;
    for (place, task) in spec.after.iter().enumerate() {
        let group = open.filter(|at| !used(place) && groups[*at].tasks.len() < size);
        match group {
            Some(at) => groups[at].tasks.push(*task),
            None => {
                groups.push(DependencyGroup { tasks: Vec::from([*task]), used: used(place) });
                if !used(place) {
                    open = Some(groups.len() - 1);
                }
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(after: usize, uses: &[u32]) -> TaskSpec {
        let after = (0..after).map(|n| TaskId((n as u128).to_le_bytes())).collect();
        TaskSpec { after, uses: uses.to_vec(), ..TaskSpec::default() }
    }

    #[test]
    fn no_task_waits_with_more_facts_than_a_record_keeps() {
        for (after, uses) in
            [(0, &[][..]), (1, &[0]), (16, &[3, 5]), (17, &[16]), (1_024, &[]), (1_024, &[0, 7, 1_000])]
        {
            let spec = spec(after, uses);
            let groups = dependency_groups(&spec);
            assert!(groups.len() <= DEPENDENCY_FACTS_MAX, "{after} {uses:?}: {}", groups.len());
            let mut all: Vec<_> = groups.iter().flat_map(|group| group.tasks.clone()).collect();
            all.sort_unstable_by_key(|task| u128::from_le_bytes(task.0));
            assert_eq!(all, spec.after);
            for place in uses {
                let alone = DependencyGroup { tasks: Vec::from([spec.after[*place as usize]]), used: true };
                assert!(groups.contains(&alone));
            }
            assert_eq!(groups.iter().filter(|group| group.used).count(), uses.len());
        }
        let many: Vec<u32> = (0..15).collect();
        assert!(dependency_groups(&spec(1_024, &many)).len() <= DEPENDENCY_FACTS_MAX);
    }
}
