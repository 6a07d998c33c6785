//! Who suffers when a service is drained.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{Edge, Graph};
use crate::document::ServiceName;

/// What draining a service does to those that depend on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Impact {
    /// The service drained.
    pub service: ServiceName,
    /// Those that stop working: every call on the way waits and is required. Nearest first.
    pub breaks: Vec<Affected>,
    /// Those that go on with less: some call on the way is optional or asynchronous. Nearest
    /// first.
    pub degrades: Vec<Affected>,
}

/// One service that suffers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Affected {
    /// Its name.
    pub service: ServiceName,
    /// Whether it calls the drained service itself.
    pub direct: bool,
    /// Why: a shortest way from this service to the drained one, both included.
    pub path: Vec<ServiceName>,
}

/// Who breaks and who degrades when `service` is drained. A service that breaks breaks its own
/// callers in turn; whoever is reached only over a soft call degrades, and so do its callers.
pub fn impact(graph: &Graph, service: &ServiceName) -> Impact {
    let mut callers = BTreeMap::<&ServiceName, Vec<&Edge>>::new();
    for edge in &graph.edges {
        callers.entry(&edge.to).or_default().push(edge);
    }
    let hard = reach(&callers, service, Edge::is_hard);
    let all = reach(&callers, service, |_| true);
    Impact {
        service: service.clone(),
        degrades: affected(&all, service, |name| !hard.contains_key(name)),
        breaks: affected(&hard, service, |_| true),
    }
}

/// For each caller reached from `service`, the service it was reached from, and how far it is.
type Reached<'a> = HashMap<&'a ServiceName, (&'a ServiceName, usize)>;

fn reach<'a>(
    callers: &BTreeMap<&'a ServiceName, Vec<&'a Edge>>,
    service: &'a ServiceName,
    follow: impl Fn(&Edge) -> bool,
) -> Reached<'a> {
    let mut reached = Reached::new();
    let mut queue = VecDeque::from([(service, 0)]);
    while let Some((called, distance)) = queue.pop_front() {
        for edge in callers
            .get(called)
            .into_iter()
            .flatten()
            .filter(|edge| follow(edge))
        {
            if edge.from != *service && !reached.contains_key(&edge.from) {
                reached.insert(&edge.from, (called, distance + 1));
                queue.push_back((&edge.from, distance + 1));
            }
        }
    }
    reached
}

fn affected(
    reached: &Reached<'_>,
    service: &ServiceName,
    keep: impl Fn(&ServiceName) -> bool,
) -> Vec<Affected> {
    let mut found: Vec<(usize, &ServiceName)> = reached
        .iter()
        .filter(|(name, _)| keep(name))
        .map(|(name, (_, distance))| (*distance, *name))
        .collect();
    found.sort_unstable();
    let affected = found.into_iter().map(|(distance, name)| {
        let steps = std::iter::successors(Some(name), |at| {
            reached.get(at).map(|(towards, _)| *towards)
        });
        let path: Vec<ServiceName> = steps.cloned().collect();
        debug_assert_eq!(path.last(), Some(service));
        Affected {
            service: name.clone(),
            direct: distance == 1,
            path,
        }
    });
    affected.collect()
}
