//! What a policy applies to.

use serde::{Deserialize, Serialize};

use crate::{
    document::{Name, Pointer, Problems, ServiceName},
    route::spec::GATEWAY_GROUP,
};

/// A target of a policy, in the policy's own namespace (Gateway API's policy attachment, GEP-713).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetRef {
    /// Its API group; that of its kind if absent: Gateway API's for Gateway, GRPCRoute and HTTPRoute, none for Service
    /// and Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its kind.
    pub kind: TargetKind,
    /// Its name; of a Namespace the policy's own.
    pub name: String,
    /// A part of it: a listener of a Gateway, a named rule of a route; all of it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// What can be a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TargetKind {
    /// Gateway API's Gateway: every request that it takes.
    Gateway,
    /// Gateway API's GRPCRoute.
    #[serde(rename = "GRPCRoute")]
    GrpcRoute,
    /// Gateway API's HTTPRoute.
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
    /// A service: every request to it, through a gateway or from an SDK.
    Service,
    /// A namespace: every request to its services.
    Namespace,
}

impl TargetKind {
    /// As `kind:` in a target.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gateway => "Gateway",
            Self::GrpcRoute => "GRPCRoute",
            Self::HttpRoute => "HTTPRoute",
            Self::Service => "Service",
            Self::Namespace => "Namespace",
        }
    }

    /// Whether breaker, outlier detection, balancer, bulkhead and adaptive concurrency may target it.
    pub const fn is_for_services(self) -> bool {
        matches!(self, Self::Service | Self::Namespace)
    }
}

impl TargetRef {
    /// Whether both name the same, however they write the group.
    pub fn same(&self, other: &Self) -> bool {
        (self.kind, &self.name, &self.section_name)
            == (other.kind, &other.name, &other.section_name)
    }

    pub(super) fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let group = self.group.as_deref().unwrap_or_default();
        let (fits, remedy) = match self.kind {
            TargetKind::Service | TargetKind::Namespace => (
                group.is_empty() || group == "guildhall",
                "leave the group of a Service or Namespace out",
            ),
            _ => (
                group.is_empty() || group == GATEWAY_GROUP,
                "gateway.networking.k8s.io, or leave it out",
            ),
        };
        problems.check(fits, at.field("group"), remedy);
        let named = match self.kind {
            TargetKind::Service => ServiceName::new(&self.name).map(drop),
            _ => Name::new(&self.name).map(drop),
        };
        if let Err(detail) = named {
            problems.add(at.field("name"), detail);
        }
        if let Some(section) = &self.section_name {
            let at = at.field("sectionName");
            problems.check(
                !self.kind.is_for_services(),
                at,
                "a Service or Namespace has no sections; leave it out",
            );
            problems.check(
                (1..=253).contains(&section.len()),
                at,
                "1 to 253 characters",
            );
        }
    }
}
