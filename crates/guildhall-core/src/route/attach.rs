//! Which routes are served for which hosts.
//!
//! A route asks its parents, and each listener of a parent decides: whose routes it takes, and for
//! which hosts. The hosts served are the intersections of the listeners' hostname with the
//! route's.
//!
//! So far every HTTP listener is served on every traffic address of the gateway nodes: a
//! listener's `port` is a name that `parentRefs` may refer to, and its status says so.

use std::{collections::HashMap, sync::Arc};

use super::{
    host::HostPattern,
    spec::{DefaultScope, FromNamespaces, GATEWAY_GROUP, Gateway, HttpRoute, Listener, ParentRef},
    table::ServedBy,
};
use crate::document::{Name, Namespace, Object};

/// The Gateway that serves routes without parents, and that exists without a document.
pub const IMPLICIT_GATEWAY: &str = "default";

/// All Gateways, by namespace and name.
#[derive(Clone, Debug, Default)]
pub struct Gateways(HashMap<(Namespace, String), Arc<Object<Gateway>>>);

impl FromIterator<Arc<Object<Gateway>>> for Gateways {
    fn from_iter<I: IntoIterator<Item = Arc<Object<Gateway>>>>(gateways: I) -> Self {
        let keyed =
            |g: Arc<Object<Gateway>>| ((g.metadata.namespace.clone(), g.metadata.name.clone()), g);
        Self(gateways.into_iter().map(keyed).collect())
    }
}

/// What became of a route at one parent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attachment {
    /// The parent, as the route names it.
    pub(super) parent: ParentRef,
    /// The hosts served there, or why there are none.
    pub(super) hosts: Result<Vec<HostPattern>, Refused>,
}

/// Why a parent does not serve a route, in Gateway API's words and in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

fn refused<T>(reason: &'static str, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused {
        reason,
        message: message.into(),
    })
}

impl Gateways {
    fn get(&self, namespace: &Namespace, name: &str) -> Option<&Arc<Object<Gateway>>> {
        self.0.get(&(namespace.clone(), name.to_owned()))
    }

    /// What becomes of `route` at each of its parents.
    pub(super) fn attach(&self, route: &Object<HttpRoute>) -> Vec<Attachment> {
        let spec = &route.spec;
        let mut parents: Vec<_> = spec
            .parent_refs
            .iter()
            .map(|p| Attachment {
                parent: p.clone(),
                hosts: self.at(route, p),
            })
            .collect();
        let default = match spec.use_default_gateways {
            Some(DefaultScope::All) => true,
            Some(DefaultScope::None) => false,
            None => spec.parent_refs.is_empty(),
        };
        if default {
            parents.extend(self.at_defaults(route));
        }
        parents
    }

    /// The first of the parents of `route` that serves it.
    pub(super) fn serving(&self, route: &Object<HttpRoute>) -> Option<ServedBy> {
        let mut attached = self.attach(route).into_iter();
        let parent = attached.find(|attachment| attachment.hosts.is_ok())?.parent;
        Some(ServedBy {
            namespace: parent
                .namespace
                .unwrap_or_else(|| route.metadata.namespace.clone()),
            gateway: parent.name.as_str().to_owned(),
            listener: parent.section_name.map(|name| name.as_str().to_owned()),
        })
    }

    fn at_defaults(&self, route: &Object<HttpRoute>) -> Vec<Attachment> {
        let mut scoped: Vec<_> = self
            .0
            .values()
            .filter(|g| g.spec.default_scope == Some(DefaultScope::All))
            .collect();
        scoped.sort_by_key(|g| (g.metadata.namespace.clone(), g.metadata.name.clone()));
        let mut parents: Vec<_> = scoped
            .into_iter()
            .filter_map(|gateway| {
                let name = Name::new(&gateway.metadata.name).ok()?;
                let parent = ParentRef {
                    namespace: Some(gateway.metadata.namespace.clone()),
                    ..ParentRef::named(name)
                };
                Some(Attachment {
                    hosts: self.at(route, &parent),
                    parent,
                })
            })
            .collect();
        if parents.is_empty()
            && let Ok(name) = Name::new(IMPLICIT_GATEWAY)
        {
            let parent = ParentRef::named(name);
            parents.push(Attachment {
                hosts: self.at(route, &parent),
                parent,
            });
        }
        parents
    }

    /// The hosts of `route` that `parent` serves.
    fn at(
        &self,
        route: &Object<HttpRoute>,
        parent: &ParentRef,
    ) -> Result<Vec<HostPattern>, Refused> {
        if !parent.is_gateway() {
            let kind = parent.kind.as_deref().unwrap_or("Gateway");
            return refused(
                "UnsupportedValue",
                format!("a parent of kind {kind} is not supported; name a Gateway"),
            );
        }
        let namespace = parent
            .namespace
            .as_ref()
            .unwrap_or(&route.metadata.namespace);
        let Some(gateway) = self.get(namespace, parent.name.as_str()) else {
            if parent.name == *IMPLICIT_GATEWAY
                && parent.section_name.is_none()
                && parent.port.is_none()
            {
                return Ok(intersect(&HostPattern::Any, route));
            }
            return refused(
                "NoMatchingParent",
                format!(
                    "there is no Gateway {:?} in {namespace}",
                    parent.name.as_str()
                ),
            );
        };
        let named = gateway.spec.listeners.iter().filter(|listener| {
            parent
                .section_name
                .as_ref()
                .is_none_or(|name| *name == listener.name)
                && parent.port.is_none_or(|port| port == listener.port)
        });
        let mut named = named.peekable();
        if named.peek().is_none() {
            return refused(
                "NoMatchingParent",
                "the Gateway has no listener of that sectionName and port",
            );
        }
        let open: Vec<&Listener> = named
            .filter(|listener| admits(listener, gateway, route))
            .collect();
        if open.is_empty() {
            let message = "no HTTP listener of the Gateway takes HTTPRoutes from this namespace; see its allowedRoutes";
            return refused("NotAllowedByListeners", message);
        }
        let mut hosts: Vec<HostPattern> = open
            .iter()
            .flat_map(|listener| intersect(&HostPattern::new(listener.hostname.as_deref()), route))
            .collect();
        hosts.sort();
        hosts.dedup();
        if hosts.is_empty() {
            return refused(
                "NoMatchingListenerHostname",
                "none of the route's hostnames is the listeners'",
            );
        }
        Ok(hosts)
    }
}

/// Whether a listener speaks HTTP in the clear, which is all there is so far.
pub(super) fn is_served(listener: &Listener) -> bool {
    listener.protocol == "HTTP"
}

/// Whether a listener takes routes of this kind from this namespace.
fn admits(listener: &Listener, gateway: &Object<Gateway>, route: &Object<HttpRoute>) -> bool {
    let allowed = listener.allowed_routes.clone().unwrap_or_default();
    let kind = allowed.kinds.is_empty()
        || allowed.kinds.iter().any(|kind| {
            kind.kind == "HTTPRoute"
                && kind
                    .group
                    .as_deref()
                    .is_none_or(|group| group == GATEWAY_GROUP)
        });
    let namespace = match allowed
        .namespaces
        .and_then(|n| n.from)
        .unwrap_or(FromNamespaces::Same)
    {
        FromNamespaces::All => true,
        FromNamespaces::Same => gateway.metadata.namespace == route.metadata.namespace,
        // Namespaces carry no labels here, so that none is selected.
        FromNamespaces::Selector | FromNamespaces::None => false,
    };
    is_served(listener) && kind && namespace
}

/// The route's hosts that are also `listener`'s.
fn intersect(listener: &HostPattern, route: &Object<HttpRoute>) -> Vec<HostPattern> {
    if route.spec.hostnames.is_empty() {
        return vec![listener.clone()];
    }
    let of_route = route
        .spec
        .hostnames
        .iter()
        .map(|hostname| HostPattern::new(Some(hostname)));
    let mut hosts: Vec<_> = of_route
        .filter_map(|host| host.intersect(listener))
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::{Body, Document, Kind};

    fn gateway(name: &str, listeners: serde_json::Value) -> Arc<Object<Gateway>> {
        let json =
            json!({"metadata": {"name": name}, "spec": {"listeners": listeners}}).to_string();
        match Body::parse(&json).and_then(|b| b.into_document(Kind::Gateway, None, None)) {
            Ok(Document::Gateway(gateway)) => gateway,
            other => panic!("{other:?}"),
        }
    }

    fn check(
        gateways: &[Arc<Object<Gateway>>],
        namespace: &str,
        spec: serde_json::Value,
        expected: &str,
    ) {
        let json =
            json!({"metadata": {"name": "r", "namespace": namespace}, "spec": spec}).to_string();
        let Ok(Document::HttpRoute(route)) =
            Body::parse(&json).and_then(|b| b.into_document(Kind::HttpRoute, None, None))
        else {
            panic!("{json}");
        };
        let gateways: Gateways = gateways.iter().cloned().collect();
        let shown: Vec<String> = gateways
            .attach(&route)
            .into_iter()
            .map(|attachment| match attachment.hosts {
                Ok(hosts) => format!("{}: {hosts:?}", attachment.parent.name),
                Err(refused) => format!("{}: {}", attachment.parent.name, refused.reason),
            })
            .collect();
        assert_eq!(shown.join("\n"), expected);
    }

    #[test]
    fn a_route_without_parents_is_served_by_the_implicit_gateway() {
        check(&[], "default", json!({}), "default: [Any]");
        check(
            &[],
            "shop",
            json!({"hostnames": ["a.com"]}),
            r#"default: [Exact("a.com")]"#,
        );
        check(&[], "default", json!({"useDefaultGateways": "None"}), "");
        check(
            &[],
            "default",
            json!({"parentRefs": [{"name": "default"}]}),
            "default: [Any]",
        );
        check(
            &[],
            "default",
            json!({"parentRefs": [{"name": "edge"}]}),
            "edge: NoMatchingParent",
        );
    }

    #[test]
    fn listeners_narrow_the_hosts_and_choose_their_routes() {
        let edge = gateway(
            "edge",
            json!([
                {"name": "shop", "hostname": "*.shop.com", "port": 80, "protocol": "HTTP"},
                {"name": "open", "port": 81, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}},
                {"name": "grpc", "port": 82, "protocol": "HTTP", "allowedRoutes": {"kinds": [{"kind": "GRPCRoute"}]}},
                {"name": "tls", "port": 443, "protocol": "HTTPS"},
            ]),
        );
        let gateways = [edge];
        let at = |section: &str, hosts: &[&str]| json!({"parentRefs": [{"name": "edge", "namespace": "default", "sectionName": section}], "hostnames": hosts});
        check(
            &gateways,
            "default",
            at("shop", &[]),
            r#"edge: [Wildcard("shop.com")]"#,
        );
        check(
            &gateways,
            "default",
            at("shop", &["a.shop.com", "b.com"]),
            r#"edge: [Exact("a.shop.com")]"#,
        );
        check(
            &gateways,
            "default",
            at("shop", &["b.com"]),
            "edge: NoMatchingListenerHostname",
        );
        check(
            &gateways,
            "other",
            at("shop", &[]),
            "edge: NotAllowedByListeners",
        );
        check(
            &gateways,
            "other",
            at("open", &["b.com"]),
            r#"edge: [Exact("b.com")]"#,
        );
        check(
            &gateways,
            "default",
            at("grpc", &[]),
            "edge: NotAllowedByListeners",
        );
        check(
            &gateways,
            "default",
            at("tls", &[]),
            "edge: NotAllowedByListeners",
        );
        check(
            &gateways,
            "default",
            at("none", &[]),
            "edge: NoMatchingParent",
        );
        let all = json!({"parentRefs": [{"name": "edge"}], "hostnames": ["x.shop.com"]});
        check(&gateways, "default", all, r#"edge: [Exact("x.shop.com")]"#);
    }
}
