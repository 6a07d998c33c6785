//! Which policies hold for which requests: what is looked up for each.

use std::{collections::HashMap, sync::Arc};

use guildhall_core::{
    policy::guard::{self, Shell},
    route::table::{ClusterId, Rule},
};

use super::endpoint::EndpointKey;
use crate::policy::answers::{AnswerKey, GoodAnswer};

/// What the machines of policies are made of here.
pub(crate) enum InGateway {}

impl Shell for InGateway {
    type Endpoint = EndpointKey;
    type AnswerKey = AnswerKey;
    type Answer = GoodAnswer;
}

/// What holds for one kind of request.
pub(crate) type Way = guard::Way<InGateway>;
/// What is enforced of it.
pub(crate) type Rules = guard::Rules<InGateway>;

/// What holds by the rule that matched, where policies name routes or Gateways or the rule has a `retry`. What holds for a service whatever the
/// rule stands in its cluster.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    /// By the rule's address, and its backend. The rule is held, so that its address stays its own.
    by_rule: HashMap<(usize, ClusterId), (Arc<Rule>, Arc<Way>)>,
    /// By the name of the service that the default route reaches.
    by_default: HashMap<Box<str>, Arc<Way>>,
}

impl Ways {
    pub(super) fn insert(&mut self, rule: &Arc<Rule>, backend: ClusterId, way: Arc<Way>) {
        let rule = Arc::clone(rule);
        self.by_rule.insert((address(&rule), backend), (rule, way));
    }

    pub(super) fn insert_default(&mut self, service: &str, way: Arc<Way>) {
        self.by_default.insert(service.into(), way);
    }

    /// What holds for the requests of `rule` that go to `backend`.
    pub(super) fn of_rule(&self, rule: &Arc<Rule>, backend: ClusterId) -> Option<&Arc<Way>> {
        if self.by_rule.is_empty() {
            return None;
        }
        let found = self.by_rule.get(&(address(rule), backend));
        found.map(|(_, way)| way)
    }

    /// What holds for those that the default route sends to `service`.
    pub(super) fn of_default(&self, service: &str) -> Option<&Arc<Way>> {
        if self.by_default.is_empty() {
            return None;
        }
        self.by_default.get(service)
    }
}

fn address(rule: &Arc<Rule>) -> usize {
    Arc::as_ptr(rule).addr()
}
