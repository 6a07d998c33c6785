//! Gateway API's Gateway: which listeners there are and whose routes they take.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reference::{check_hostname, check_port};
use super::{DefaultScope, LabelSelector, LocalRef, ObjectRef};
use crate::{
    document::{Kind, Pointer, Problems, Spec},
    route::GatewayStatus,
};

/// A Gateway, as in Gateway API 1.6, experimental channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Gateway {
    /// In Kubernetes, which controller is meant. Here every Gateway is Guildhall's.
    pub gateway_class_name: String,
    /// Where requests come in.
    pub listeners: Vec<Listener>,
    /// Addresses asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewayAddress>,
    /// What to put on infrastructure made for this Gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<Infrastructure>,
    /// Whose ListenerSets may attach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_listeners: Option<AllowedListeners>,
    /// TLS for the whole Gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<GatewayTls>,
    /// Whether routes that ask for the default Gateways attach here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_scope: Option<DefaultScope>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            gateway_class_name: "guildhall".to_owned(),
            listeners: Vec::new(),
            addresses: Vec::new(),
            infrastructure: None,
            allowed_listeners: None,
            tls: None,
            default_scope: None,
        }
    }
}

/// One way in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    /// Unique within the Gateway.
    pub name: String,
    /// The hostname it takes requests for, perhaps `*.…`; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The port it is reached at.
    pub port: u16,
    /// `HTTP`, `HTTPS`, `TLS`, `TCP`, `UDP` or a domain-prefixed word.
    pub protocol: String,
    /// How TLS is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
    /// Whose routes may attach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_routes: Option<AllowedRoutes>,
}

/// Whose routes may attach to a listener.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AllowedRoutes {
    /// From which namespaces; the Gateway's own if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<RouteNamespaces>,
    /// Of which kinds; those that fit the protocol if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<RouteKind>,
}

/// From which namespaces routes or listeners may attach.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RouteNamespaces {
    /// `Same` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<FromNamespaces>,
    /// Labels of the namespaces, for `Selector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// A rule over namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromNamespaces {
    /// Any.
    All,
    /// Those with given labels.
    Selector,
    /// The Gateway's own.
    Same,
    /// None at all.
    None,
}

/// A kind of route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteKind {
    /// Gateway API's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `HTTPRoute`, `GRPCRoute`, ….
    pub kind: String,
}

/// How a listener does TLS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ListenerTls {
    /// `Terminate` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<TlsMode>,
    /// The certificates served.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificate_refs: Vec<ObjectRef>,
    /// Options of an implementation.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// Where TLS ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsMode {
    /// At the gateway.
    Terminate,
    /// At the backend.
    Passthrough,
}

/// TLS for the whole Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GatewayTls {
    /// Towards backends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendTls>,
    /// Towards clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend: Option<FrontendTls>,
}

/// TLS towards backends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BackendTls {
    /// The certificate the gateway shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_ref: Option<ObjectRef>,
}

/// TLS towards clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FrontendTls {
    /// For every port without an entry of its own.
    pub default: ClientTls,
    /// For single ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub per_port: Vec<PortTls>,
}

/// TLS towards the clients of one port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortTls {
    /// The port.
    pub port: u16,
    /// What holds there.
    pub tls: ClientTls,
}

/// How clients are asked for certificates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClientTls {
    /// How their certificates are validated; they are not asked for any if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<ClientValidation>,
}

/// How clients' certificates are validated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientValidation {
    /// The authorities trusted.
    pub ca_certificate_refs: Vec<ObjectRef>,
    /// `AllowValidOnly` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ClientValidationMode>,
}

/// What happens to a client without a valid certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientValidationMode {
    /// It is refused.
    AllowValidOnly,
    /// It goes on.
    AllowInsecureFallback,
}

/// An address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GatewayAddress {
    /// `IPAddress`, `Hostname`, `NamedAddress` or a domain-prefixed word.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub address_type: Option<String>,
    /// The address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
}

/// What to put on infrastructure made for a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Infrastructure {
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Parameters of an implementation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters_ref: Option<LocalRef>,
}

/// Whose ListenerSets may attach.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AllowedListeners {
    /// From which namespaces; none if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<RouteNamespaces>,
}

impl Spec for Gateway {
    const KIND: Kind = Kind::Gateway;
    type Status = GatewayStatus;

    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let listeners = at.field("listeners");
        problems.check(
            !self.listeners.is_empty(),
            listeners,
            "give at least one listener",
        );
        problems.check(
            self.listeners.len() <= 64,
            listeners,
            "at most 64 listeners",
        );
        for (n, listener) in self.listeners.iter().enumerate() {
            let at = listeners.item(n);
            let name = at.field("name");
            problems.check(
                !listener.name.is_empty() && listener.name.len() <= 253,
                name,
                "1 to 253 characters",
            );
            let earlier = &self.listeners[..n];
            problems.check(
                earlier.iter().all(|l| l.name != listener.name),
                name,
                "two listeners have this name",
            );
            if let Some(hostname) = &listener.hostname {
                check_hostname(hostname, true, &at.field("hostname"), problems);
            }
            check_port(Some(listener.port), &at.field("port"), problems);
            problems.check(
                !listener.protocol.is_empty(),
                at.field("protocol"),
                "a protocol such as HTTP",
            );
            let same = |l: &&Listener| {
                l.port == listener.port
                    && l.protocol == listener.protocol
                    && l.hostname == listener.hostname
            };
            let detail = "two listeners have this port, protocol and hostname";
            problems.check(!earlier.iter().any(|l| same(&l)), at, detail);
        }
    }
}
