//! A rule compiled: what is done to the requests that match.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};

use super::cluster::{ClusterId, ClusterKey, Clusters, Subset};
use super::fault::Fault;
use super::retry::RuleRetry;
use crate::{
    document::{Namespace, Object},
    route::spec::{BackendRef, Filter, HeaderModifier, HttpRoute, Redirect, RouteRule, UrlRewrite},
};

/// Which route a rule is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteId {
    /// The route's namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: Box<str>,
    /// Its revision.
    pub revision: u64,
}

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {
    /// The route it is of.
    pub route: Arc<RouteId>,
    /// Its place in the route.
    pub index: usize,
    /// Its name, if it has one.
    pub name: Option<Box<str>>,
    /// `timeouts.request`; zero switches it off, `None` leaves it to the gateway.
    pub request_timeout: Option<Duration>,
    /// `timeouts.backendRequest`; zero switches it off, `None` leaves it to policies.
    pub backend_timeout: Option<Duration>,
    /// What it says about sending again.
    pub retry: Option<RuleRetry>,
    /// What fails on purpose.
    pub fault: Option<Fault>,
    /// Done in this order.
    pub filters: Box<[RuleFilter]>,
    /// What happens in the end.
    pub action: Action,
}

/// A filter that is supported, compiled.
#[derive(Debug)]
pub enum RuleFilter {
    /// Changes the request's headers.
    RequestHeaders(HeaderEdit),
    /// Changes the response's headers.
    ResponseHeaders(HeaderEdit),
    /// Changes host or path.
    Rewrite(UrlRewrite),
}

/// Changes to headers.
#[derive(Debug, Default)]
pub struct HeaderEdit {
    /// Replaced.
    pub set: Box<[(HeaderName, HeaderValue)]>,
    /// Added.
    pub add: Box<[(HeaderName, HeaderValue)]>,
    /// Taken away.
    pub remove: Box<[HeaderName]>,
}

/// What happens to a request in the end.
#[derive(Debug)]
pub enum Action {
    /// It goes to one of these.
    Forward(Backends),
    /// It is answered with a redirect.
    Redirect(Redirect),
    /// It is answered with an error: Gateway API forbids to pass over a filter that is not
    /// supported.
    Unsupported,
}

/// The backends of a rule with their shares.
#[derive(Debug)]
pub struct Backends {
    list: Box<[Backend]>,
    total: u64,
}

/// A backend of a rule.
#[derive(Debug)]
pub struct Backend {
    /// Its share.
    pub weight: u32,
    /// Where requests go; an invalid backend keeps its share, which is answered with errors.
    pub target: Result<ClusterId, BackendFault>,
    /// Done to the requests that go here.
    pub filters: Box<[RuleFilter]>,
}

/// Why a backend cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendFault {
    /// It is no service.
    InvalidKind,
    /// It is in another namespace, which needs a ReferenceGrant; those are not supported yet.
    RefNotPermitted,
    /// One of its filters is not supported.
    Unsupported,
}

impl BackendFault {
    /// In Gateway API's words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::InvalidKind => "InvalidKind",
            Self::RefNotPermitted => "RefNotPermitted",
            Self::Unsupported => "UnsupportedValue",
        }
    }
}

impl Backends {
    /// The sum of all weights; 0 if there is nobody to send requests to.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The backend at `at` of [`Backends::total`] shares.
    pub fn choose(&self, at: u64) -> Option<&Backend> {
        // One backend is the rule, and 16 are the most.
        let mut before = 0;
        self.list.iter().find(|backend| {
            before += u64::from(backend.weight);
            at < before
        })
    }

    /// All of them, in the order of the spec.
    pub fn iter(&self) -> impl Iterator<Item = &Backend> {
        self.list.iter()
    }
}

impl Rule {
    /// Its name, or its place in the route.
    pub fn label(&self) -> impl fmt::Display + '_ {
        Label(self)
    }
}

struct Label<'a>(&'a Rule);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.name {
            Some(name) => f.write_str(name),
            None => self.0.index.fmt(f),
        }
    }
}

/// Something in a rule that is not done, with the field that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::route) struct Unsupported {
    /// A JSON Pointer.
    pub(in crate::route) pointer: String,
    /// What it is.
    pub(in crate::route) what: String,
    /// Whether the rule's requests are refused for it, rather than served without it.
    pub(in crate::route) refused: bool,
}

/// Everything in the rule at `index` that is not done.
pub(in crate::route) fn unsupported(rule: &RouteRule, index: usize) -> Vec<Unsupported> {
    let mut found = Vec::new();
    let mut note = |field: String, what: String, refused: bool| {
        found.push(Unsupported {
            pointer: format!("/spec/rules/{index}/{field}"),
            what,
            refused,
        });
    };
    for (n, filter) in rule.filters.iter().enumerate() {
        if !is_supported(filter) {
            note(
                format!("filters/{n}"),
                format!("filter {}", filter.word()),
                true,
            );
        }
    }
    for (b, backend) in rule.backend_refs.iter().enumerate() {
        for (n, filter) in backend.filters.iter().enumerate() {
            if !is_supported_at_backend(filter) {
                note(
                    format!("backendRefs/{b}/filters/{n}"),
                    format!("filter {} of a backend", filter.word()),
                    true,
                );
            }
        }
    }
    if rule.session_persistence.is_some() {
        note(
            "sessionPersistence".to_owned(),
            "session persistence".to_owned(),
            false,
        );
    }
    found
}

fn is_supported(filter: &Filter) -> bool {
    is_supported_at_backend(filter)
        || matches!(
            filter,
            Filter::RequestRedirect(_) | Filter::UrlRewrite(_) | Filter::Fault(_)
        )
}

fn is_supported_at_backend(filter: &Filter) -> bool {
    matches!(
        filter,
        Filter::RequestHeaderModifier(_) | Filter::ResponseHeaderModifier(_)
    )
}

/// Compiles `rule`, which was validated before it was stored.
pub(super) fn compile(
    rule: &RouteRule,
    index: usize,
    route: &Object<HttpRoute>,
    id: &Arc<RouteId>,
    clusters: &mut Clusters,
) -> Rule {
    let redirect = rule.filters.iter().find_map(|filter| match filter {
        Filter::RequestRedirect(redirect) => Some(redirect.clone()),
        _ => None,
    });
    let action = if !rule.filters.iter().all(is_supported) {
        Action::Unsupported
    } else if let Some(redirect) = redirect {
        Action::Redirect(redirect)
    } else {
        Action::Forward(backends(rule, &route.metadata.namespace, clusters))
    };
    let timeouts = rule.timeouts.unwrap_or_default();
    Rule {
        route: Arc::clone(id),
        index,
        name: rule.name.as_deref().map(Into::into),
        request_timeout: timeouts.request.map(|p| p.get()),
        backend_timeout: timeouts.backend_request.map(|p| p.get()),
        retry: rule.retry.as_ref().map(RuleRetry::of),
        fault: rule.filters.iter().find_map(Fault::of),
        filters: filters(&rule.filters),
        action,
    }
}

fn backends(rule: &RouteRule, namespace: &Namespace, clusters: &mut Clusters) -> Backends {
    let list: Box<[Backend]> = rule
        .backend_refs
        .iter()
        .map(|backend| Backend {
            weight: backend.weight.unwrap_or(1),
            target: fault(backend, namespace)
                .map_or_else(|| Ok(clusters.intern(cluster(backend, namespace))), Err),
            filters: filters(&backend.filters),
        })
        .collect();
    let total = list.iter().map(|backend| u64::from(backend.weight)).sum();
    Backends { list, total }
}

/// Why `backend` cannot be used by a route of `namespace`; whether it exists is not known here.
pub(in crate::route) fn fault(backend: &BackendRef, namespace: &Namespace) -> Option<BackendFault> {
    if !backend.is_service() {
        return Some(BackendFault::InvalidKind);
    }
    if backend
        .namespace
        .as_ref()
        .is_some_and(|other| other != namespace)
    {
        return Some(BackendFault::RefNotPermitted);
    }
    (!backend.filters.iter().all(is_supported_at_backend)).then_some(BackendFault::Unsupported)
}

fn cluster(backend: &BackendRef, namespace: &Namespace) -> ClusterKey {
    let subset = match (backend.port, &backend.port_name) {
        (Some(port), _) => Subset::Port(port),
        (None, Some(name)) => Subset::PortName(name.as_str().into()),
        (None, None) => Subset::DefaultPort,
    };
    ClusterKey {
        namespace: namespace.clone(),
        service: backend.name.clone(),
        subset,
    }
}

fn filters(list: &[Filter]) -> Box<[RuleFilter]> {
    list.iter()
        .filter_map(|filter| match filter {
            Filter::RequestHeaderModifier(modifier) => {
                Some(RuleFilter::RequestHeaders(edit(modifier)))
            }
            Filter::ResponseHeaderModifier(modifier) => {
                Some(RuleFilter::ResponseHeaders(edit(modifier)))
            }
            Filter::UrlRewrite(change) => Some(RuleFilter::Rewrite(change.clone())),
            _ => None,
        })
        .collect()
}

fn edit(modifier: &HeaderModifier) -> HeaderEdit {
    let pairs = |list: &[crate::route::spec::Header]| {
        list.iter()
            .filter_map(|h| {
                Some((
                    HeaderName::from_bytes(h.name.as_bytes()).ok()?,
                    HeaderValue::from_str(&h.value).ok()?,
                ))
            })
            .collect()
    };
    HeaderEdit {
        set: pairs(&modifier.set),
        add: pairs(&modifier.add),
        remove: modifier
            .remove
            .iter()
            .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
            .collect(),
    }
}
