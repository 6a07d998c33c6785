//! Routes compiled: from a request's head to the rule that decides, in time that does not grow
//! with the number of routes, without allocating.
//!
//! Precedence is Gateway API's. Among hosts: an exact name, then the longest wildcard, then any
//! host; a host none of whose rules matches leaves the request to the next. Within a host: exact
//! path, then regular expressions (the longer expression first; the standard leaves their place
//! open), then the longest prefix; then a method, the number of headers, the number of query
//! parameters, the older route, the route's namespace and name, the order of rules and matches.

mod cluster;
mod compiler;
mod fault;
mod hash;
mod retry;
mod rule;
mod served;
mod test;
#[cfg(test)]
mod tests;
mod tree;

use std::sync::Arc;

pub use cluster::{ClusterId, ClusterKey, Subset};
pub use compiler::Compiler;
pub use fault::{Fault, Injected};
use hash::Map;
pub use retry::RuleRetry;
pub use rule::{Action, Backend, BackendFault, Backends, HeaderEdit, RouteId, Rule, RuleFilter};
pub(super) use rule::{fault, unsupported};
pub use served::{Served, ServedBy};
use tree::HostTree;

use super::{Gateways, host::HostPattern, spec::HttpRoute};
use crate::document::Object;

/// What of a request decides where it goes.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a http::Method,
    /// The host in normal form ([`super::host::normalise`]).
    pub host: &'a str,
    /// The path in normal form ([`super::path::normalise`]).
    pub path: &'a str,
    /// The query as sent, without `?`.
    pub query: Option<&'a str>,
    /// The headers as received.
    pub headers: &'a http::HeaderMap,
}

/// The rule that decides about a request.
#[derive(Clone, Copy, Debug)]
pub struct Match<'t> {
    /// The rule.
    pub rule: &'t Arc<Rule>,
    /// How many bytes of the path the matched prefix takes, without a slash at its end; the whole
    /// path for an exact match, 0 for an expression.
    pub prefix: usize,
}

/// All routes, compiled. Immutable; shared by all workers.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    exact: Map<Arc<HostTree>>,
    wildcard: Map<Arc<HostTree>>,
    any: Option<Arc<HostTree>>,
    clusters: Arc<Vec<ClusterKey>>,
    generation: u64,
}

impl RouteTable {
    /// Compiles `routes` from nothing; a [`Compiler`] keeps what did not change.
    pub fn compile(routes: &[Arc<Object<HttpRoute>>], gateways: &Gateways) -> Self {
        Compiler::default().compile(routes.iter().cloned(), gateways.clone())
    }

    /// The rule for a request; `None` if no route matches.
    pub fn find(&self, head: &RequestHead<'_>) -> Option<Match<'_>> {
        if let Some(found) = self.exact.get(head.host).and_then(|tree| tree.find(head)) {
            return Some(found);
        }
        if !self.wildcard.is_empty() {
            let mut rest = head.host;
            while let Some((label, suffix)) = rest.split_once('.') {
                let covered = !label.is_empty() || rest.len() < head.host.len();
                if let Some(tree) = self.wildcard.get(suffix).filter(|_| covered)
                    && let Some(found) = tree.find(head)
                {
                    return Some(found);
                }
                rest = suffix;
            }
        }
        self.any.as_ref()?.find(head)
    }

    /// The clusters that rules send requests to; a [`ClusterId`] is a place in it. Some may
    /// belong to routes that are gone.
    pub fn clusters(&self) -> &[ClusterKey] {
        &self.clusters
    }

    /// Tables of one generation agree about places: a later one's clusters begin with an earlier
    /// one's.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How many matches all hosts have together.
    pub fn len(&self) -> usize {
        let trees = self
            .exact
            .values()
            .chain(self.wildcard.values())
            .chain(&self.any);
        trees.map(|tree| tree.len()).sum()
    }

    /// Whether nothing is routed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives `host` a tree, or takes it away.
    fn set(&mut self, host: &HostPattern, tree: Option<Arc<HostTree>>) {
        let (map, name) = match host {
            HostPattern::Any => {
                self.any = tree;
                return;
            }
            HostPattern::Wildcard(suffix) => (&mut self.wildcard, suffix),
            HostPattern::Exact(name) => (&mut self.exact, name),
        };
        match tree {
            Some(tree) => drop(map.insert(name.clone(), tree)),
            None => drop(map.remove(name)),
        }
    }
}
