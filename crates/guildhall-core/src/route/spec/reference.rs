//! References from routes and gateways to other objects.
//!
//! As in Gateway API, `group` and `kind` have defaults that differ by the place of the reference;
//! what they name may be unknown here, which is a condition rather than a decoding error.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::document::{Name, Namespace, Pointer, Problems, ServiceName};

/// The API group of Gateway API's own kinds.
pub const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// The Gateway (or a listener of it) that a route asks to be served by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParentRef {
    /// The parent's API group; [`GATEWAY_GROUP`] if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The parent's kind; `Gateway` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The parent's namespace; the route's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The parent's name.
    pub name: Name,
    /// The one listener that is meant; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
    /// Only the listeners of this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl ParentRef {
    /// A reference to the Gateway `name` in the route's own namespace.
    pub fn named(name: Name) -> Self {
        Self {
            group: None,
            kind: None,
            namespace: None,
            name,
            section_name: None,
            port: None,
        }
    }

    /// Whether a Gateway is meant.
    pub fn is_gateway(&self) -> bool {
        self.group
            .as_deref()
            .is_none_or(|group| group == GATEWAY_GROUP)
            && self.kind.as_deref().is_none_or(|kind| kind == "Gateway")
    }
}

/// A service, without weight or filters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServiceRef {
    /// The API group; empty (or `guildhall`) for services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind; `Service` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The service's name.
    pub name: ServiceName,
    /// The service's namespace; the route's if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The port's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// An object in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalRef {
    /// Its API group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// An object, perhaps in another namespace: certificates and the like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectRef {
    /// Its API group; the place of the reference gives the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its kind; the place of the reference gives the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its name.
    pub name: String,
    /// Its namespace; that of the referring document if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// Kubernetes' label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LabelSelector {
    /// Labels that must have exactly these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelRequirement>,
}

/// One requirement of a label selector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelRequirement {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: LabelOperator,
    /// What it is compared with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LabelOperator {
    /// Its value is one of those given.
    In,
    /// Its value is none of those given.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// Whether an object joins what is the default for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefaultScope {
    /// It does.
    All,
    /// It does not.
    None,
}

/// Notes a hostname that is no DNS-1123 subdomain; `*.` in front is allowed if `wildcard`.
pub(super) fn check_hostname(
    hostname: &str,
    wildcard: bool,
    at: &Pointer<'_>,
    problems: &mut Problems,
) {
    let bare = if wildcard {
        hostname.strip_prefix("*.").unwrap_or(hostname)
    } else {
        hostname
    };
    let rule = if wildcard {
        "a lower-case DNS name such as shop.example.com or *.example.com"
    } else {
        "a lower-case DNS name such as shop.example.com, without a wildcard"
    };
    let is_name = Name::new(bare).is_ok();
    problems.check(is_name, at, rule);
    let is_address = bare.parse::<std::net::Ipv4Addr>().is_ok();
    problems.check(
        !is_address,
        at,
        "an IP address is not a hostname; leave hostnames out to match any",
    );
}

/// Notes a port that is 0.
pub(super) fn check_port(port: Option<u16>, at: &Pointer<'_>, problems: &mut Problems) {
    problems.check(port != Some(0), at, "a port is 1 to 65535");
}
