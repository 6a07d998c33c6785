//! Gateway API's HTTPRoute.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reference::{check_hostname, check_port};
use super::{DefaultScope, Filter, ParentRef, PathMatchType, PathModifier, RouteMatch};
use crate::{
    document::{Kind, Namespace, Period, Pointer, Problems, ServiceName, Spec},
    route::HttpRouteStatus,
};

/// An HTTPRoute, as in Gateway API 1.6, experimental channel, and `portName` beside `port`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpRoute {
    /// The Gateways asked to serve the route; the implicit Gateway `default` if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentRef>,
    /// Whether the default Gateways serve it as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_default_gateways: Option<DefaultScope>,
    /// The hosts it is for, perhaps `*.…`; any if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// What happens to requests. Empty means one rule that matches everything and has no
    /// backend.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RouteRule>,
}

/// What happens to the requests that match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RouteRule {
    /// How policies and decisions refer to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Alternatives; prefix `/` if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<RouteMatch>,
    /// Done to every request that matches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// Where requests go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backend_refs: Vec<BackendRef>,
    /// How long things may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<RouteTimeouts>,
    /// What is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RouteRetry>,
    /// How a client stays with one instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_persistence: Option<SessionPersistence>,
}

/// A service that requests go to, with its share of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BackendRef {
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
    /// The instances that have this port; their default port if neither this nor `portName` is
    /// given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Guildhall's own: the instances that have a port of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_name: Option<String>,
    /// Its share beside the others', 0 to 1,000,000; 1 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Done to the requests that go here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
}

/// How long a request may take; `0s` switches a limit off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RouteTimeouts {
    /// From the end of the client's request to the end of the answer, everything included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Period>,
    /// One attempt at one backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_request: Option<Period>,
}

/// The most attempts after the first that a rule may ask for.
pub const MOST_RETRIES: u32 = 99;

/// The longest `retry.backoff` that a rule may ask for: nobody waits longer for an answer.
pub const MOST_BACKOFF: Duration = Duration::from_secs(60 * 60);

/// What is tried again. Each field wins over that of the policies on the way; that there is a `retry` wins over a policy
/// that switches retries off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RouteRetry {
    /// Statuses, 400 to 599, that are worth another attempt; all others are not. As policies have it (`retryOn`) if
    /// empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<u16>,
    /// The most attempts after the first, 0 to 99; 0 is no retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The shortest pause between attempts, up to an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Period>,
}

/// How a client stays with one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SessionPersistence {
    /// How long at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absolute_timeout: Option<Period>,
    /// `Cookie` if absent.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub persistence_type: Option<PersistenceType>,
    /// For `Cookie`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<PersistenceCookie>,
    /// For `Header`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<PersistenceHeader>,
}

/// What carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PersistenceType {
    /// A cookie.
    Cookie,
    /// A header.
    Header,
}

/// The cookie that carries a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PersistenceCookie {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The path it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `Session` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime_type: Option<CookieLifetime>,
}

/// How long a cookie lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CookieLifetime {
    /// As long as the browser is open.
    Session,
    /// As long as the absolute timeout says.
    Permanent,
}

/// The header that carries a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PersistenceHeader {
    /// Its name.
    pub name: String,
}

impl Spec for HttpRoute {
    const KIND: Kind = Kind::HttpRoute;
    type Status = HttpRouteStatus;

    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let parents = at.field("parentRefs");
        problems.check(self.parent_refs.len() <= 32, parents, "at most 32 parents");
        for (n, parent) in self.parent_refs.iter().enumerate() {
            let at = parents.item(n);
            check_port(parent.port, &at.field("port"), problems);
            problems.check(
                !self.parent_refs[..n].contains(parent),
                at,
                "this parent is named twice",
            );
        }
        let hostnames = at.field("hostnames");
        problems.check(
            self.hostnames.len() <= 16,
            hostnames,
            "at most 16 hostnames",
        );
        for (n, hostname) in self.hostnames.iter().enumerate() {
            check_hostname(hostname, true, &hostnames.item(n), problems);
        }
        let rules = at.field("rules");
        problems.check(
            self.rules.len() <= 16,
            rules,
            "at most 16 rules; further ones go into another route",
        );
        let matches: usize = self.rules.iter().map(|rule| rule.matches.len()).sum();
        problems.check(matches <= 128, rules, "at most 128 matches over all rules");
        for (n, rule) in self.rules.iter().enumerate() {
            let at = rules.item(n);
            rule.validate(&at, problems);
            let twice = rule.name.is_some() && self.rules[..n].iter().any(|r| r.name == rule.name);
            problems.check(!twice, at.field("name"), "two rules have this name");
        }
    }
}

impl RouteRule {
    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let matches = at.field("matches");
        problems.check(self.matches.len() <= 64, matches, "at most 64 matches");
        for (n, one) in self.matches.iter().enumerate() {
            one.validate(&matches.item(n), problems);
        }
        self.validate_filters(at, problems);
        let backends = at.field("backendRefs");
        problems.check(
            self.backend_refs.len() <= 16,
            backends,
            "at most 16 backends",
        );
        for (n, backend) in self.backend_refs.iter().enumerate() {
            backend.validate(&backends.item(n), problems);
        }
        if let Some(timeouts) = &self.timeouts
            && let (Some(whole), Some(attempt)) = (timeouts.request, timeouts.backend_request)
        {
            let fits = whole == Period::default() || attempt <= whole;
            let timeouts = at.field("timeouts");
            problems.check(
                fits,
                timeouts.field("backendRequest"),
                "not longer than timeouts.request",
            );
        }
        if let Some(retry) = &self.retry {
            let retry_at = at.field("retry");
            let codes = retry_at.field("codes");
            for (n, code) in retry.codes.iter().enumerate() {
                problems.check(
                    (400..=599).contains(code),
                    codes.item(n),
                    "a status from 400 to 599",
                );
            }
            problems.check(
                retry.attempts.is_none_or(|retries| retries <= MOST_RETRIES),
                retry_at.field("attempts"),
                "0 to 99; what takes longer wants a queue",
            );
            problems.check(
                retry
                    .backoff
                    .is_none_or(|pause| pause.get() <= MOST_BACKOFF),
                retry_at.field("backoff"),
                "1h at most",
            );
        }
    }

    fn validate_filters(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let filters = at.field("filters");
        problems.check(self.filters.len() <= 16, filters, "at most 16 filters");
        let redirects = |f: &Filter| matches!(f, Filter::RequestRedirect(_));
        let rewrites = |f: &Filter| matches!(f, Filter::UrlRewrite(_));
        for (n, filter) in self.filters.iter().enumerate() {
            let at = filters.item(n);
            filter.validate(&at, problems);
            let repeats = matches!(filter, Filter::RequestMirror(_) | Filter::ExtensionRef(_));
            let twice = self.filters[..n].iter().any(|f| f.word() == filter.word());
            problems.check(
                repeats || !twice,
                at.field("type"),
                "a rule has one filter of this type",
            );
            let prefix = match filter {
                Filter::RequestRedirect(redirect) => redirect.path.as_ref(),
                Filter::UrlRewrite(change) => change.path.as_ref(),
                _ => None,
            };
            if let Some(PathModifier::ReplacePrefixMatch(_)) = prefix {
                let fits = self
                    .matches
                    .iter()
                    .all(|m| m.path().match_type == PathMatchType::PathPrefix);
                problems.check(
                    fits,
                    at,
                    "ReplacePrefixMatch needs every match of the rule to be a PathPrefix",
                );
            }
        }
        let redirect = self.filters.iter().any(redirects);
        let both = redirect && self.filters.iter().any(rewrites);
        problems.check(
            !both,
            filters,
            "RequestRedirect and URLRewrite exclude each other",
        );
        let answered = redirect && !self.backend_refs.is_empty();
        problems.check(
            !answered,
            at.field("backendRefs"),
            "a redirect is answered here; it has no backends",
        );
        let faults = |f: &Filter| matches!(f, Filter::Fault(_));
        let both = redirect && self.filters.iter().any(faults);
        problems.check(
            !both,
            filters,
            "RequestRedirect and Fault exclude each other: a redirect never fails",
        );
    }
}

impl BackendRef {
    /// Whether a service is meant.
    pub fn is_service(&self) -> bool {
        self.group
            .as_deref()
            .is_none_or(|group| group.is_empty() || group == "guildhall")
            && self.kind.as_deref().is_none_or(|kind| kind == "Service")
    }

    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        problems.check(
            !self.name.as_str().is_empty(),
            at.field("name"),
            "name the service",
        );
        check_port(self.port, &at.field("port"), problems);
        let one = self.port.is_none() || self.port_name.is_none();
        problems.check(one, at.field("portName"), "give port or portName, not both");
        problems.check(
            self.weight.is_none_or(|w| w <= 1_000_000),
            at.field("weight"),
            "0 to 1000000",
        );
        let filters = at.field("filters");
        problems.check(self.filters.len() <= 16, filters, "at most 16 filters");
        for (n, filter) in self.filters.iter().enumerate() {
            filter.validate(&filters.item(n), problems);
        }
    }
}
