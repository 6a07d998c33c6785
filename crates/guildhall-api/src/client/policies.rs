//! Calls on what policies come to.

use guildhall_core::document::Namespace;

use super::{Client, ClientError, call::Call};
use crate::wire::{EffectivePolicy, path};

/// The way of some requests: what they pass, as far as policies attach to it. Name a service, a route or a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WayQuery {
    /// The service that is asked.
    pub service: Option<String>,
    /// The HTTPRoute that matches.
    pub route: Option<String>,
    /// The named rule of it.
    pub rule: Option<String>,
    /// The Gateway that takes them.
    pub gateway: Option<String>,
    /// The listener of it.
    pub listener: Option<String>,
}

impl WayQuery {
    /// The way of an SDK's calls to a service.
    pub fn to_service(service: &str) -> Self {
        Self {
            service: Some(service.to_owned()),
            ..Self::default()
        }
    }
}

impl Client {
    /// What holds for requests on this way, and which policy each field is from.
    pub async fn effective_policy(
        &self,
        namespace: &Namespace,
        way: &WayQuery,
    ) -> Result<EffectivePolicy, ClientError> {
        let mut query = path::QueryString::default();
        query.add_some("service", way.service.as_deref());
        query.add_some("route", way.route.as_deref());
        query.add_some("rule", way.rule.as_deref());
        query.add_some("gateway", way.gateway.as_deref());
        query.add_some("listener", way.listener.as_deref());
        let call = Call::get(path::effective_policy(namespace)).query(query);
        self.call(call).await?.json()
    }
}
