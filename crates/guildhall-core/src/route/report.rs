//! The conditions of routes and gateways: what is not served, and why.
//!
//! Derived from the documents alone, so that a read can attach them without anything having been
//! written.

use super::{
    CONTROLLER, Condition, ConditionType, GatewayStatus, Gateways, HttpRouteStatus, ListenerStatus,
    ParentStatus,
    attach::is_served,
    spec::{Gateway, HttpRoute},
    table::{BackendFault, fault, unsupported},
};
use crate::document::{Namespace, Object, ServiceName};

/// The status of `route`; `exists` says whether a service does.
pub fn route_status(
    route: &Object<HttpRoute>,
    gateways: &Gateways,
    exists: &dyn Fn(&Namespace, &ServiceName) -> bool,
) -> HttpRouteStatus {
    let revision = route.metadata.revision;
    let support = support(route);
    let resolved = resolved(route, exists);
    let parents = gateways.attach(route).into_iter().map(|attachment| {
        let mut conditions = match (&attachment.hosts, &support.refused) {
            (Err(refused), _) => {
                vec![Condition::new(
                    ConditionType::Accepted,
                    false,
                    refused.reason,
                    refused.message.clone(),
                    revision,
                )]
            }
            (Ok(_), Some(message)) => {
                vec![Condition::new(
                    ConditionType::Accepted,
                    false,
                    "UnsupportedValue",
                    message.clone(),
                    revision,
                )]
            }
            (Ok(_), None) => vec![Condition::new(
                ConditionType::Accepted,
                true,
                "Accepted",
                "",
                revision,
            )],
        };
        conditions.push(resolved.clone());
        if let Some(message) = &support.partial {
            let partial = ConditionType::PartiallyInvalid;
            conditions.push(Condition::new(
                partial,
                true,
                "UnsupportedValue",
                message.clone(),
                revision,
            ));
        }
        ParentStatus {
            parent_ref: attachment.parent,
            controller_name: CONTROLLER.into(),
            conditions,
        }
    });
    HttpRouteStatus {
        parents: parents.collect(),
    }
}

/// What a route asks for that is not done: refusing all of it, or part of it.
struct Support {
    refused: Option<String>,
    partial: Option<String>,
}

fn support(route: &Object<HttpRoute>) -> Support {
    let rules = &route.spec.rules;
    let found: Vec<_> = rules
        .iter()
        .enumerate()
        .map(|(n, rule)| unsupported(rule, n))
        .collect();
    let told: Vec<String> = found
        .iter()
        .flatten()
        .map(|u| {
            let effect = if u.refused {
                "its requests are answered with 500"
            } else {
                "the rule is served without it"
            };
            format!("{}: {} is not supported; {effect}", u.pointer, u.what)
        })
        .collect();
    if told.is_empty() {
        return Support {
            refused: None,
            partial: None,
        };
    }
    let all = !found.is_empty() && found.iter().all(|rule| rule.iter().any(|u| u.refused));
    let message = Some(told.join("; "));
    if all {
        Support {
            refused: message,
            partial: None,
        }
    } else {
        Support {
            refused: None,
            partial: message,
        }
    }
}

fn resolved(
    route: &Object<HttpRoute>,
    exists: &dyn Fn(&Namespace, &ServiceName) -> bool,
) -> Condition {
    let namespace = &route.metadata.namespace;
    let mut reason = None;
    let mut told = Vec::new();
    for (r, rule) in route.spec.rules.iter().enumerate() {
        for (b, backend) in rule.backend_refs.iter().enumerate() {
            let (word, detail) = match fault(backend, namespace) {
                Some(fault @ BackendFault::InvalidKind) => {
                    (fault.reason(), "only services can be backends")
                }
                Some(fault @ BackendFault::RefNotPermitted) => (
                    fault.reason(),
                    "a service of another namespace needs a ReferenceGrant, which is not supported",
                ),
                // Told by the other conditions.
                Some(BackendFault::Unsupported) => continue,
                None if !exists(namespace, &backend.name) => {
                    ("BackendNotFound", "there is no such service")
                }
                None => continue,
            };
            reason = reason.or(Some(word));
            told.push(format!(
                "/spec/rules/{r}/backendRefs/{b}: {}: {detail}",
                backend.name
            ));
        }
    }
    let holds = reason.is_none();
    let (reason, message) = (reason.unwrap_or("ResolvedRefs"), told.join("; "));
    Condition::new(
        ConditionType::ResolvedRefs,
        holds,
        reason,
        message,
        route.metadata.revision,
    )
}

/// The status of `gateway`, which serves those of `routes` that attach to it.
pub fn gateway_status<'a>(
    gateway: &Object<Gateway>,
    gateways: &Gateways,
    routes: impl IntoIterator<Item = &'a Object<HttpRoute>>,
) -> GatewayStatus {
    let revision = gateway.metadata.revision;
    let mut attached = vec![0u32; gateway.spec.listeners.len()];
    for route in routes {
        for attachment in gateways.attach(route).iter().filter(|a| a.hosts.is_ok()) {
            let parent = &attachment.parent;
            let namespace = parent
                .namespace
                .as_ref()
                .unwrap_or(&route.metadata.namespace);
            if *namespace != gateway.metadata.namespace
                || parent.name.as_str() != gateway.metadata.name
            {
                continue;
            }
            for (listener, count) in gateway.spec.listeners.iter().zip(&mut attached) {
                let named = parent
                    .section_name
                    .as_ref()
                    .is_none_or(|name| *name == listener.name)
                    && parent.port.is_none_or(|port| port == listener.port);
                *count += u32::from(named && is_served(listener));
            }
        }
    }
    let listeners: Vec<ListenerStatus> = gateway
        .spec
        .listeners
        .iter()
        .zip(attached)
        .map(|(listener, attached_routes)| {
            let served = is_served(listener);
            let conditions = if served {
                let message = "served on every traffic address of the gateway nodes; no port is opened for it";
                vec![
                    Condition::new(ConditionType::Accepted, true, "Accepted", "", revision),
                    Condition::new(ConditionType::Programmed, true, "Programmed", message, revision),
                ]
            } else {
                let message = format!("protocol {} is not supported; use HTTP", listener.protocol);
                vec![
                    Condition::new(ConditionType::Accepted, false, "UnsupportedProtocol", message, revision),
                    Condition::new(ConditionType::Programmed, false, "Invalid", "", revision),
                ]
            };
            ListenerStatus { name: listener.name.clone(), attached_routes, conditions }
        })
        .collect();
    let all = gateway.spec.listeners.iter().all(is_served);
    let any = gateway.spec.listeners.iter().any(is_served);
    let reason = if all { "Accepted" } else { "ListenersNotValid" };
    let programmed = if any { "Programmed" } else { "Invalid" };
    GatewayStatus {
        conditions: vec![
            Condition::new(ConditionType::Accepted, any, reason, "", revision),
            Condition::new(ConditionType::Programmed, any, programmed, "", revision),
        ],
        listeners,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        document::{Body, Document, Kind},
        route::ConditionStatus,
    };

    fn document(kind: Kind, spec: &Value) -> Document {
        let json = json!({"metadata": {"name": "edge"}, "spec": spec}).to_string();
        Body::parse(&json)
            .and_then(|body| body.into_document(kind, None, None))
            .unwrap()
    }

    fn words(conditions: &[Condition]) -> Vec<String> {
        let holds = |c: &Condition| {
            if c.status == ConditionStatus::True {
                ""
            } else {
                "not "
            }
        };
        conditions
            .iter()
            .map(|c| format!("{}{:?} {}", holds(c), c.condition_type, c.reason))
            .collect()
    }

    /// The conditions of a route where only the service `users` exists.
    fn check(rules: Value, expected: &[&str]) {
        let Document::HttpRoute(route) = document(Kind::HttpRoute, &json!({"rules": rules})) else {
            panic!()
        };
        let status = route_status(&route, &Gateways::default(), &|_, service| {
            service.as_str() == "users"
        });
        assert_eq!(status.parents.len(), 1);
        assert_eq!(words(&status.parents[0].conditions), expected, "{rules}");
    }

    #[test]
    fn what_is_missing_or_not_supported_is_told() {
        let to = |name: &str| json!([{"backendRefs": [{"name": name}]}]);
        check(
            to("users"),
            &["Accepted Accepted", "ResolvedRefs ResolvedRefs"],
        );
        check(
            to("orders"),
            &["Accepted Accepted", "not ResolvedRefs BackendNotFound"],
        );
        let other = json!([{"backendRefs": [{"name": "users", "namespace": "other"}]}]);
        check(
            other,
            &["Accepted Accepted", "not ResolvedRefs RefNotPermitted"],
        );
        let bucket =
            json!([{"backendRefs": [{"name": "users", "kind": "Bucket", "group": "x.io"}]}]);
        check(
            bucket,
            &["Accepted Accepted", "not ResolvedRefs InvalidKind"],
        );
        let cors = json!({"filters": [{"type": "CORS", "cors": {}}]});
        check(
            json!([cors]),
            &["not Accepted UnsupportedValue", "ResolvedRefs ResolvedRefs"],
        );
        let partly = [
            "Accepted Accepted",
            "ResolvedRefs ResolvedRefs",
            "PartiallyInvalid UnsupportedValue",
        ];
        check(json!([cors, {"name": "fine"}]), &partly);
        check(json!([{"sessionPersistence": {}}]), &partly);
        check(json!([{"retry": {"attempts": 2}}]), &partly[..2]);
    }

    #[test]
    fn a_listener_tells_what_it_serves() {
        let listeners = json!({"listeners": [
            {"name": "http", "port": 80, "protocol": "HTTP"},
            {"name": "tls", "port": 443, "protocol": "HTTPS"},
        ]});
        let Document::Gateway(gateway) = document(Kind::Gateway, &listeners) else {
            panic!()
        };
        let Document::HttpRoute(route) =
            document(Kind::HttpRoute, &json!({"parentRefs": [{"name": "edge"}]}))
        else {
            panic!()
        };
        let gateways = [Arc::clone(&gateway)].into_iter().collect();
        let status = gateway_status(&gateway, &gateways, [&*route]);
        assert_eq!(
            words(&status.conditions),
            ["Accepted ListenersNotValid", "Programmed Programmed"]
        );
        let shown: Vec<_> = status
            .listeners
            .iter()
            .map(|l| (l.attached_routes, words(&l.conditions).join(", ")))
            .collect();
        assert_eq!(
            shown,
            [
                (1, "Accepted Accepted, Programmed Programmed".to_owned()),
                (
                    0,
                    "not Accepted UnsupportedProtocol, not Programmed Invalid".to_owned()
                ),
            ]
        );
    }
}
