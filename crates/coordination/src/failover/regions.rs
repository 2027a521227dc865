//! Which tasks fail together.
//!
//! ```text
//!   source 0 ─▶ map 0 ─▶ sink 0      region 0      forward edges only
//!   source 1 ─▶ map 1 ─▶ sink 1      region 1
//!
//!   other source ─▶╳─▶ count 0       region 2      everybody sends to everybody
//!   other source ─▶╳─▶ count 1
//! ```
//!
//! A task that fails has sent records that its receivers have used, and has taken records that its
//! senders will not send again: whatever it exchanges records with goes back with it. Tasks that
//! are not connected in any way have no part in it.

use std::collections::BTreeSet;

/// The tasks of a job, by region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regions {
    of_task: Vec<usize>,
    tasks: Vec<BTreeSet<usize>>,
}

impl Regions {
    /// The connected components of tasks `0..tasks` over the links between them. Regions are
    /// numbered by their lowest task.
    pub fn pipelined(tasks: usize, links: impl IntoIterator<Item = (usize, usize)>) -> Self {
        // INVARIANT: a task's parent is not above it, so that a root is the lowest of its tree.
        let mut parents: Vec<usize> = (0..tasks).collect();
        for (from, to) in links {
            let (one, other) = (root(&mut parents, from), root(&mut parents, to));
            parents[one.max(other)] = one.min(other);
        }
        let mut regions = Regions {
            of_task: Vec::with_capacity(tasks),
            tasks: Vec::new(),
        };
        for task in 0..tasks {
            let root = root(&mut parents, task);
            let region = match root == task {
                true => {
                    regions.tasks.push(BTreeSet::new());
                    regions.tasks.len() - 1
                }
                false => regions.of_task[root],
            };
            regions.of_task.push(region);
            regions.tasks[region].insert(task);
        }
        regions
    }

    /// One region of all tasks.
    pub fn whole(tasks: usize) -> Self {
        Self::pipelined(tasks, (1..tasks).map(|task| (0, task)))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.tasks.len()
    }

    /// How many tasks there are.
    pub fn tasks_in_all(&self) -> usize {
        self.of_task.len()
    }

    /// The region of a task.
    pub fn of(&self, task: usize) -> usize {
        self.of_task[task]
    }

    /// The tasks of a region: all that start again when one of them has failed.
    pub fn tasks(&self, region: usize) -> &BTreeSet<usize> {
        &self.tasks[region]
    }
}

fn root(parents: &mut [usize], task: usize) -> usize {
    let mut at = task;
    while parents[at] != at {
        // Halves the way for the next one.
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn instances_with_forward_edges_only_are_regions_of_their_own() {
        // Source 0 and 1, map 2 and 3.
        let regions = Regions::pipelined(4, [(0, 2), (1, 3)]);
        assert_eq!(regions.count(), 2);
        assert_eq!(regions.tasks(0), &BTreeSet::from([0, 2]));
        assert_eq!(regions.tasks(1), &BTreeSet::from([1, 3]));
        let exchanged = Regions::pipelined(4, [(0, 2), (0, 3), (1, 2), (1, 3)]);
        assert_eq!(exchanged, Regions::whole(4));
        assert_eq!(Regions::whole(0).count(), 0);
    }

    proptest! {
        #[test]
        fn two_tasks_share_a_region_if_and_only_if_a_way_leads_from_one_to_the_other(
            links in proptest::collection::vec((0usize..12, 0usize..12), 0..14),
        ) {
            let regions = Regions::pipelined(12, links.iter().copied());
            // By the definition: what is reached, step by step.
            let mut reached = vec![vec![false; 12]; 12];
            for (task, row) in reached.iter_mut().enumerate() {
                row[task] = true;
            }
            for _ in 0..12 {
                for row in &mut reached {
                    for (from, to) in &links {
                        let either = row[*from] || row[*to];
                        row[*from] = either;
                        row[*to] = either;
                    }
                }
            }
            for (one, row) in reached.iter().enumerate() {
                for (other, connected) in row.iter().enumerate() {
                    prop_assert_eq!(regions.of(one) == regions.of(other), *connected);
                }
                prop_assert!(regions.tasks(regions.of(one)).contains(&one));
            }
            let all: usize = (0..regions.count()).map(|region| regions.tasks(region).len()).sum();
            prop_assert_eq!(all, 12);
        }
    }
}
