//! By what machines are found again.

use crate::{
    document::Namespace,
    policy::{
        effective::{Effective, Source},
        guard::share::{PolicyName, SharedLimit},
        spec::TargetKind,
        target::Target,
    },
    route::table::ClusterKey,
};

/// Of a machine that belongs to a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OfService {
    pub(super) service: ClusterKey,
    /// Where the rule comes from, if that is neither the service nor its namespace: what two routes say must not be
    /// said to one machine by turns.
    pub(super) scope: Option<Target>,
    /// Whether it belongs to what is only tried.
    pub(super) tried: bool,
}

impl OfService {
    /// A machine that ways to the service share, whatever else is on them.
    pub(super) fn whole(service: &ClusterKey, tried: bool) -> Self {
        Self {
            service: service.clone(),
            scope: None,
            tried,
        }
    }

    /// The machine of those ways whose `field` comes from the same target.
    pub(super) fn by_field(service: &ClusterKey, effective: &Effective, field: &str) -> Self {
        let scope = effective
            .origins
            .get(field)
            .map(|origin| &origin.source.target)
            .filter(|target| !matches!(target.kind, TargetKind::Service | TargetKind::Namespace));
        Self {
            scope: scope.cloned(),
            ..Self::whole(service, false)
        }
    }
}

/// Of a limit, which belongs to its rule: what is under one target shares one count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OfRule {
    pub(super) namespace: Namespace,
    pub(super) policy: String,
    pub(super) target: Target,
    pub(super) rule: String,
    pub(super) tried: bool,
}

impl OfRule {
    pub(super) fn new(source: &Source, rule: &str, tried: bool) -> Self {
        Self {
            namespace: source.namespace.clone(),
            policy: source.policy.clone(),
            target: source.target.clone(),
            rule: rule.to_owned(),
            tried,
        }
    }

    /// The same limit wherever it is held to.
    pub(super) fn of(limit: &SharedLimit) -> Self {
        let SharedLimit {
            policy,
            under,
            name,
            dry_run,
        } = limit;
        Self {
            namespace: policy.namespace.clone(),
            policy: policy.name.clone(),
            target: under.clone(),
            rule: name.clone(),
            tried: *dry_run,
        }
    }

    /// The policy that has the rule.
    pub(super) fn owner(&self) -> PolicyName {
        PolicyName {
            namespace: self.namespace.clone(),
            name: self.policy.clone(),
        }
    }

    /// Its name among those who count together: `{namespace}/{policy}/{kind}/{name}[/{section}]/{rule}`, the target's in
    /// the middle. What is only tried has a count of its own.
    pub(super) fn count(&self) -> String {
        let tried = if self.tried { "dry-run:" } else { "" };
        let Self {
            namespace,
            policy,
            target,
            rule,
            ..
        } = self;
        let (kind, name) = (target.kind.word(), &target.name);
        match &target.section_name {
            Some(section) => format!("{tried}{namespace}/{policy}/{kind}/{name}/{section}/{rule}"),
            None => format!("{tried}{namespace}/{policy}/{kind}/{name}/{rule}"),
        }
    }
}
