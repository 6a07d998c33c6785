//! Where calls come back to their origin.
//!
//! A cycle of calls that wait for each other can deadlock and cannot be started or drained in
//! any order; one that a message breaks is merely worth knowing. So the strongly connected
//! components are found twice: over the edges that wait, and over all.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::Edge;
use crate::{document::ServiceName, registry::DependencyType};

/// A group of services each of which calls, over others perhaps, each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cycle {
    /// All services of the group, by name.
    pub services: Vec<ServiceName>,
    /// One way round: a shortest through the first service, which stands at both ends.
    pub path: Vec<ServiceName>,
    /// Whether the calls that close it all wait for their answer.
    pub synchronous: bool,
}

/// All cycles, synchronous ones first; a group that is a cycle both ways is told once.
pub(super) fn find(edges: &[Edge]) -> Vec<Cycle> {
    let waits = |edge: &&Edge| edge.kind == DependencyType::Synchronous;
    let mut cycles = components(edges.iter().filter(waits), true);
    let synchronous: BTreeSet<Vec<ServiceName>> =
        cycles.iter().map(|cycle| cycle.services.clone()).collect();
    let all = components(edges.iter(), false);
    cycles.extend(
        all.into_iter()
            .filter(|cycle| !synchronous.contains(&cycle.services)),
    );
    cycles
}

fn components<'a>(edges: impl Iterator<Item = &'a Edge>, synchronous: bool) -> Vec<Cycle> {
    let mut names = BTreeMap::<&ServiceName, Vec<&ServiceName>>::new();
    for edge in edges {
        names.entry(&edge.from).or_default().push(&edge.to);
        names.entry(&edge.to).or_default();
    }
    let order: Vec<&ServiceName> = names.keys().copied().collect();
    let numbers: HashMap<&ServiceName, usize> = order
        .iter()
        .enumerate()
        .map(|(n, name)| (*name, n))
        .collect();
    let next: Vec<Vec<usize>> = names
        .values()
        .map(|to| to.iter().map(|name| numbers[name]).collect())
        .collect();
    let mut cycles: Vec<Cycle> = tarjan(&next)
        .into_iter()
        .filter(|group| group.len() > 1 || next[group[0]].contains(&group[0]))
        .map(|mut group| {
            group.sort_unstable();
            let name = |n: usize| order[n].clone();
            let path = round_trip(&next, &group).into_iter().map(name).collect();
            Cycle {
                services: group.into_iter().map(name).collect(),
                path,
                synchronous,
            }
        })
        .collect();
    cycles.sort();
    cycles
}

/// Tarjan's strongly connected components, without recursion: a chain of services may be longer
/// than a stack is deep.
fn tarjan(next: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let mut found = vec![UNSEEN; next.len()];
    let mut low = vec![0; next.len()];
    let mut waiting = vec![false; next.len()];
    let (mut stack, mut groups) = (Vec::new(), Vec::new());
    let mut count = 0;
    for root in 0..next.len() {
        if found[root] != UNSEEN {
            continue;
        }
        // Each frame is a node and how many of its edges were followed.
        let mut frames = vec![(root, 0)];
        while let Some((node, followed)) = frames.last_mut() {
            let node = *node;
            if *followed == 0 {
                (found[node], low[node]) = (count, count);
                count += 1;
                stack.push(node);
                waiting[node] = true;
            }
            if let Some(&to) = next[node].get(*followed) {
                *followed += 1;
                if found[to] == UNSEEN {
                    frames.push((to, 0));
                } else if waiting[to] {
                    low[node] = low[node].min(found[to]);
                }
                continue;
            }
            frames.pop();
            if let Some((parent, _)) = frames.last() {
                low[*parent] = low[*parent].min(low[node]);
            }
            if low[node] == found[node] {
                let from = stack
                    .iter()
                    .rposition(|&member| member == node)
                    .unwrap_or(0);
                let group = stack.split_off(from);
                group.iter().for_each(|&member| waiting[member] = false);
                groups.push(group);
            }
        }
    }
    groups
}

/// A shortest way from the first of `group` back to it, within the group.
fn round_trip(next: &[Vec<usize>], group: &[usize]) -> Vec<usize> {
    let start = group[0];
    let mut came_from = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for &to in &next[node] {
            if to == start {
                let back = std::iter::successors(Some(node), |at| came_from.get(at).copied());
                let mut path: Vec<usize> = std::iter::once(start).chain(back).collect();
                path.reverse();
                return path;
            }
            if group.binary_search(&to).is_ok() && !came_from.contains_key(&to) {
                came_from.insert(to, node);
                queue.push_back(to);
            }
        }
    }
    vec![start]
}
