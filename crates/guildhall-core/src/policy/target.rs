//! What a request passes on its way, as far as policies attach to it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::spec::{TargetKind, TargetRef};
use crate::document::Namespace;

/// Something that policies attach to, with its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its kind.
    pub kind: TargetKind,
    /// Its namespace; a Namespace's own name.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
    /// The part of it that is meant: a listener, a rule; all of it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// How narrow a target is, the narrowest first: what comes first wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Specificity {
    /// A rule of a route.
    RouteSection,
    /// A route.
    Route,
    /// A service.
    Service,
    /// A listener of a Gateway.
    Listener,
    /// A Gateway.
    Gateway,
    /// A namespace.
    Namespace,
}

impl Target {
    /// What `reference` in a policy of `namespace` means; `None` for a Namespace that is not the policy's own.
    pub fn of(reference: &TargetRef, namespace: &Namespace) -> Option<Self> {
        let own = reference.kind != TargetKind::Namespace || reference.name == namespace.as_str();
        own.then(|| Self {
            kind: reference.kind,
            namespace: namespace.clone(),
            name: reference.name.clone(),
            section_name: reference.section_name.clone(),
        })
    }

    /// How narrow it is.
    pub fn specificity(&self) -> Specificity {
        match (self.kind, &self.section_name) {
            (TargetKind::GrpcRoute | TargetKind::HttpRoute, Some(_)) => Specificity::RouteSection,
            (TargetKind::GrpcRoute | TargetKind::HttpRoute, None) => Specificity::Route,
            (TargetKind::Service, _) => Specificity::Service,
            (TargetKind::Gateway, Some(_)) => Specificity::Listener,
            (TargetKind::Gateway, None) => Specificity::Gateway,
            (TargetKind::Namespace, _) => Specificity::Namespace,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TargetKind::Namespace => write!(f, "Namespace {}", self.name),
            kind => write!(f, "{} {}/{}", kind.word(), self.namespace, self.name),
        }?;
        self.section_name
            .as_ref()
            .map_or(Ok(()), |section| write!(f, " ({section})"))
    }
}

/// The targets that apply to some requests, the most specific first.
///
/// A gateway builds one for each route rule and backend, an SDK one for each service that it calls. The namespace whose
/// policies apply is the service's; without a service the route's, without a route the Gateway's.
///
/// ```
/// use guildhall_core::document::Namespace;
/// use guildhall_core::policy::{Chain, spec::TargetKind};
///
/// let shop = Namespace::default();
/// let chain = Chain::default()
///     .route(TargetKind::HttpRoute, &shop, "orders", Some("checkout"))
///     .service(&shop, "order-service")
///     .gateway(&shop, "web", None);
/// let targets: Vec<String> = chain.targets().iter().map(ToString::to_string).collect();
/// assert_eq!(targets, [
///     "HTTPRoute default/orders (checkout)",
///     "HTTPRoute default/orders",
///     "Service default/order-service",
///     "Gateway default/web",
///     "Namespace default",
/// ]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Chain {
    route: Vec<Target>,
    service: Vec<Target>,
    gateway: Vec<Target>,
}

impl Chain {
    /// With the route that matched, and the rule of it, if it has a name.
    #[must_use]
    pub fn route(
        mut self,
        kind: TargetKind,
        namespace: &Namespace,
        name: &str,
        rule: Option<&str>,
    ) -> Self {
        self.route = with_section(kind, namespace, name, rule);
        self
    }

    /// With the service that is asked.
    #[must_use]
    pub fn service(mut self, namespace: &Namespace, name: &str) -> Self {
        self.service = with_section(TargetKind::Service, namespace, name, None);
        self
    }

    /// With the Gateway, and the listener of it, that took the request.
    #[must_use]
    pub fn gateway(mut self, namespace: &Namespace, name: &str, listener: Option<&str>) -> Self {
        self.gateway = with_section(TargetKind::Gateway, namespace, name, listener);
        self
    }

    /// The targets, the most specific first.
    pub fn targets(&self) -> Vec<Target> {
        let namespace = [&self.service, &self.route, &self.gateway]
            .into_iter()
            .find_map(|targets| targets.first())
            .map(|target| Target {
                kind: TargetKind::Namespace,
                namespace: target.namespace.clone(),
                name: target.namespace.to_string(),
                section_name: None,
            });
        let named = self.route.iter().chain(&self.service).chain(&self.gateway);
        named.cloned().chain(namespace).collect()
    }
}

/// The section first, where there is one, then the whole.
fn with_section(
    kind: TargetKind,
    namespace: &Namespace,
    name: &str,
    section: Option<&str>,
) -> Vec<Target> {
    let whole = Target {
        kind,
        namespace: namespace.clone(),
        name: name.to_owned(),
        section_name: None,
    };
    let part = section.map(|section| Target {
        section_name: Some(section.to_owned()),
        ..whole.clone()
    });
    part.into_iter().chain([whole]).collect()
}
