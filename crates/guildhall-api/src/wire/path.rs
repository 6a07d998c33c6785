//! The paths of the API, built with every name percent-encoded.

use std::fmt::Write;

use guildhall_core::document::{
    DocumentKey, InstanceId, Kind, Namespace, ServiceName, VersionName,
};
use guildhall_core::history::VersionRef;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What every path of the API begins with.
pub const BASE: &str = "/api/v1";

/// Everything but RFC 3986's unreserved characters is encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `text` as one segment of a path or as one part of a query.
pub fn encode(text: &str) -> String {
    match text {
        // A dot segment would be taken for navigation.
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => utf8_percent_encode(text, SEGMENT).to_string(),
    }
}

/// `/api/v1/namespaces/{ns}`; across all namespaces, where that may be asked, if there is none.
pub fn namespace(namespace: Option<&Namespace>) -> String {
    format!(
        "{BASE}/namespaces/{}",
        namespace.map_or("-".to_owned(), |ns| encode(ns.as_str()))
    )
}

/// The list of a kind's documents.
pub fn documents(kind: Kind, ns: Option<&Namespace>) -> String {
    format!("{}/{}", namespace(ns), kind.plural())
}

/// One document.
pub fn document(key: &DocumentKey) -> String {
    let base = namespace(Some(&key.namespace));
    let below = match key.kind {
        Kind::Instance => Some("instances"),
        Kind::ServiceVersion => Some("versions"),
        _ => None,
    };
    if key.kind == Kind::Config {
        let parts: Vec<String> = key.name.split('/').map(encode).collect();
        return format!("{base}/configs/{}", parts.join("/"));
    }
    match (below, key.name.split_once('/')) {
        (Some(below), Some((service, name))) => {
            format!(
                "{base}/services/{}/{below}/{}",
                encode(service),
                encode(name)
            )
        }
        _ => format!("{base}/{}/{}", key.kind.plural(), encode(&key.name)),
    }
}

/// The bytes of a file of configuration.
pub fn content(key: &DocumentKey) -> String {
    format!("{}/content", document(key))
}

/// What a file of configuration comes to for those who read it.
pub fn effective_config(key: &DocumentKey) -> String {
    format!("{}/effective", document(key))
}

/// Those who read a file of configuration.
pub fn listeners(key: &DocumentKey) -> String {
    format!("{}/listeners", document(key))
}

/// One who reads a file of configuration.
pub fn listener(key: &DocumentKey, instance: &str) -> String {
    format!("{}/{}", listeners(key), encode(instance))
}

/// A gray release of a file of configuration.
pub fn gray(key: &DocumentKey, name: &str) -> String {
    format!("{}/gray/{}", document(key), encode(name))
}

/// The drafts of all files of a namespace.
pub fn all_drafts(ns: Option<&Namespace>) -> String {
    format!("{}/drafts", namespace(ns))
}

/// The drafts of a file of configuration.
pub fn drafts(key: &DocumentKey) -> String {
    format!("{}/drafts", document(key))
}

/// One of them.
pub fn draft(key: &DocumentKey, id: u32) -> String {
    format!("{}/{id}", drafts(key))
}

/// Where a file of configuration is promoted from.
pub fn promote(key: &DocumentKey) -> String {
    format!("{}/promote", document(key))
}

/// Where the values of a file of configuration are sealed anew.
pub fn reseal(key: &DocumentKey) -> String {
    format!("{}/reseal", document(key))
}

/// A document's versions.
pub fn history(key: &DocumentKey) -> String {
    format!("{}/history", document(key))
}

/// One version of a document.
pub fn past_version(key: &DocumentKey, version: &VersionRef) -> String {
    let word = match version {
        VersionRef::Number(number) => number.to_string(),
        VersionRef::Tag(tag) => encode(tag),
    };
    format!("{}/versions/{word}", document(key))
}

/// What leads from one version of a document to another.
pub fn version_diff(key: &DocumentKey) -> String {
    format!("{}/diff", document(key))
}

/// Where a document is rolled back.
pub fn rollback(key: &DocumentKey) -> String {
    format!("{}/rollback", document(key))
}

/// A tag of a document's versions.
pub fn tag(key: &DocumentKey, tag: &str) -> String {
    format!("{}/tags/{}", document(key), encode(tag))
}

/// A service.
pub fn service(ns: &Namespace, service: &ServiceName) -> String {
    format!(
        "{}/services/{}",
        namespace(Some(ns)),
        encode(service.as_str())
    )
}

/// A version of a service.
pub fn version(ns: &Namespace, of: &ServiceName, version: &VersionName) -> String {
    format!("{}/versions/{}", service(ns, of), encode(version.as_str()))
}

/// A service's instances: GET discovers, POST registers under a generated id.
pub fn instances(ns: &Namespace, of: &ServiceName) -> String {
    format!("{}/instances", service(ns, of))
}

/// An instance.
pub fn instance(ns: &Namespace, of: &ServiceName, id: &InstanceId) -> String {
    format!("{}/{}", instances(ns, of), encode(id.as_str()))
}

/// Where an instance's heartbeats go.
pub fn heartbeat(ns: &Namespace, of: &ServiceName, id: &InstanceId) -> String {
    format!("{}/heartbeat", instance(ns, of, id))
}

/// Where the results of one of an instance's checks go.
pub fn check(ns: &Namespace, of: &ServiceName, id: &InstanceId, check: &str) -> String {
    format!("{}/checks/{}", instance(ns, of, id), encode(check))
}

/// Where an instance is taken out of traffic and let back.
pub fn maintenance(ns: &Namespace, of: &ServiceName, id: &InstanceId) -> String {
    format!("{}/maintenance", instance(ns, of, id))
}

/// An instance's transitions.
pub fn timeline(ns: &Namespace, of: &ServiceName, id: &InstanceId) -> String {
    format!("{}/timeline", instance(ns, of, id))
}

/// What policies come to for requests on one way.
pub fn effective_policy(ns: &Namespace) -> String {
    format!("{}/policies/effective", namespace(Some(ns)))
}

/// The dependency graph.
pub fn graph(ns: Option<&Namespace>) -> String {
    format!("{}/graph", namespace(ns))
}

/// Who is hurt if a service is gone.
pub fn impact(ns: &Namespace, service: &ServiceName) -> String {
    format!(
        "{}/graph/impact/{}",
        namespace(Some(ns)),
        encode(service.as_str())
    )
}

/// Counts.
pub fn stats(ns: Option<&Namespace>) -> String {
    format!("{}/stats", namespace(ns))
}

/// The watch over many kinds.
pub fn watch(ns: Option<&Namespace>) -> String {
    format!("{}/watch", namespace(ns))
}

/// The breakers of those who call, or are called, in a namespace.
pub fn breakers(ns: Option<&Namespace>) -> String {
    format!("{}/breakers", namespace(ns))
}

/// The limits of those who call, or are called, in a namespace.
pub fn limits(ns: Option<&Namespace>) -> String {
    format!("{}/limits", namespace(ns))
}

/// A lock, or with `action` (`acquire`, `renew`, `release`) what is done to it.
pub fn lock(ns: &Namespace, name: &str, action: Option<&str>) -> String {
    let mut path = format!("{}/locks/{}", namespace(Some(ns)), encode(name));
    if let Some(action) = action {
        // Writing to a String cannot fail.
        let _ = write!(path, "/{action}");
    }
    path
}

/// The platform's status.
pub const STATUS: &str = "/api/v1/status";
/// Where gateways and SDKs report their breakers and limits.
pub const REPORTS: &str = "/api/v1/reports";
/// A snapshot of the control store, as bytes.
pub const SNAPSHOT: &str = "/api/v1/snapshot";

/// A query string under construction: `?a=b&c=d`, or nothing.
#[derive(Clone, Debug, Default)]
pub struct QueryString(String);

impl QueryString {
    /// Adds `key=value`, both encoded.
    pub fn add(&mut self, key: &str, value: impl std::fmt::Display) -> &mut Self {
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0
            .push_str(&utf8_percent_encode(key, SEGMENT).to_string());
        self.0.push('=');
        self.0
            .push_str(&utf8_percent_encode(&value.to_string(), SEGMENT).to_string());
        self
    }

    /// Adds `key=value` if there is a value.
    pub fn add_some(&mut self, key: &str, value: Option<impl std::fmt::Display>) -> &mut Self {
        if let Some(value) = value {
            self.add(key, value);
        }
        self
    }
}

impl std::fmt::Display for QueryString {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_wide_set_are_encoded() {
        let ns = Namespace::default();
        let of = ServiceName::new("user-service").unwrap();
        let id = InstanceId::new("10.0.0.1:80#A@@b+c").unwrap();
        let expect = "/api/v1/namespaces/default/services/user-service/instances/10.0.0.1%3A80%23A%40%40b%2Bc";
        assert_eq!(instance(&ns, &of, &id), expect);
        let key = DocumentKey::new(Kind::Instance, ns.clone(), format!("{of}/{id}"));
        assert_eq!(document(&key), expect);
        let dots = InstanceId::new("..").unwrap();
        assert!(heartbeat(&ns, &of, &dots).ends_with("/instances/%2E%2E/heartbeat"));
    }

    #[test]
    fn versions_stand_under_their_service_and_other_documents_do_not() {
        let key = DocumentKey::new(Kind::ServiceVersion, Namespace::default(), "a/1.0");
        assert_eq!(
            document(&key),
            "/api/v1/namespaces/default/services/a/versions/1.0"
        );
        let key = DocumentKey::new(Kind::HttpRoute, Namespace::default(), "r");
        assert_eq!(document(&key), "/api/v1/namespaces/default/httproutes/r");
        assert_eq!(
            documents(Kind::Service, None),
            "/api/v1/namespaces/-/services"
        );
    }

    #[test]
    fn a_query_is_encoded() {
        let mut query = QueryString::default();
        assert_eq!(query.to_string(), "");
        query
            .add("labelSelector", "a in (b, c)")
            .add_some("limit", Some(5))
            .add_some("continue", None::<&str>);
        assert_eq!(
            query.to_string(),
            "?labelSelector=a%20in%20%28b%2C%20c%29&limit=5"
        );
    }
}
