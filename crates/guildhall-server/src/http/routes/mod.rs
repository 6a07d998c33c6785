//! Which resource a path names. Every path of the API stands in one of the two matches below.
//!
//! The canonical path is `/api/v1/namespaces/{ns}/…`; without `namespaces/{ns}` the namespace is `default`, and
//! `namespaces/-` is all of them. Matching slices costs less than a router's tree, and reads like the specification.

mod resource;

use std::borrow::Cow;

use guildhall_api::wire::Code;
use guildhall_core::document::{Kind, Namespace};
use percent_encoding::percent_decode_str;
use smallvec::SmallVec;

use super::problem::{Refusal, refuse};

pub(crate) use resource::{Method, Resource};

/// Which namespaces a path is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// `namespaces/-`
    All,
    /// One of them.
    One(Namespace),
}

impl Scope {
    /// The namespace, where there is one.
    pub(crate) fn one(&self) -> Option<&Namespace> {
        match self {
            Self::All => None,
            Self::One(namespace) => Some(namespace),
        }
    }
}

/// A request's resource, with the names in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// What the path names.
    pub(crate) resource: Resource,
    /// What is done to it.
    pub(crate) method: Method,
    /// The namespaces it is about.
    pub(crate) scope: Scope,
    /// The document's name in the key's form (`{service}/{id}` for an instance, `{service}/{environment}/{file}` for a
    /// file of configuration), the service's, or empty.
    pub(crate) name: String,
    /// The check in `…/checks/{check}`, the version in `…/versions/{number}`, the tag in `…/tags/{tag}`,
    /// the instance in `…/listeners/{instance}`, the gray release in `…/gray/{name}`, the draft in `…/drafts/{draft}`, else
    /// empty.
    pub(crate) part: String,
    /// The kind of the document whose past is asked for.
    pub(crate) past_of: Option<Kind>,
}

/// Finds what `method` and `path` ask for, or the problem to answer with.
pub(crate) fn resolve(method: &http::Method, path: &str) -> Result<Target, Refusal> {
    let segments: SmallVec<[&str; 12]> =
        path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let unknown = || {
        refuse(
            Code::UnknownPath,
            format!("nothing is served at {path:?}; /api/openapi.json lists every path of the API"),
        )
    };
    let (scope, found) = match segments.as_slice() {
        ["api", "v1", "status"] => (Scope::All, found(Resource::Status)),
        ["api", "v1", "reports"] => (Scope::All, found(Resource::Reports)),
        ["api", "v1", "snapshot"] => (Scope::All, found(Resource::Snapshot)),
        ["api", "v1", "namespaces", "-", rest @ ..] => (Scope::All, below(rest)),
        ["api", "v1", "namespaces", namespace, rest @ ..] => {
            (Scope::One(self::namespace(namespace)?), below(rest))
        }
        ["api", "v1", rest @ ..] => (Scope::One(Namespace::default()), below(rest)),
        ["api", "openapi.json"] => (Scope::All, found(Resource::OpenApi)),
        ["healthz"] => (Scope::All, found(Resource::Live)),
        ["readyz"] => (Scope::All, found(Resource::Ready)),
        ["metrics"] => (Scope::All, found(Resource::Metrics)),
        ["docs", "errors", code] => (Scope::All, named(Resource::ErrorPage, code)),
        _ => return Err(unknown()),
    };
    let Found {
        resource,
        name,
        part,
        past_of,
    } = found.ok_or_else(unknown)?;
    let allowed = resource.methods();
    let Some(method) = Method::of(method).filter(|method| allowed.contains(method)) else {
        let words: Vec<&str> = allowed.iter().map(|method| method.word()).collect();
        return Err(refuse(
            Code::MethodNotAllowed,
            format!("{path:?} takes {}", words.join(", ")),
        ));
    };
    Ok(Target {
        resource,
        method,
        scope,
        name: decode(&name)?.into_owned(),
        part: decode(part)?.into_owned(),
        past_of,
    })
}

/// A resource with the names in its path, still percent-encoded.
struct Found<'a> {
    resource: Resource,
    name: Cow<'a, str>,
    part: &'a str,
    past_of: Option<Kind>,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the arms of the matches read alike"
)]
fn found<'a>(resource: Resource) -> Option<Found<'a>> {
    Some(Found {
        resource,
        name: Cow::Borrowed(""),
        part: "",
        past_of: None,
    })
}

fn named<'a>(resource: Resource, name: &'a str) -> Option<Found<'a>> {
    (!name.is_empty()).then_some(Found {
        resource,
        name: Cow::Borrowed(name),
        part: "",
        past_of: None,
    })
}

/// Joins a service and what stands under it into a key's name; a name itself never holds a slash.
fn under<'a>(resource: Resource, service: &str, name: &str) -> Option<Found<'a>> {
    let both = !service.is_empty() && !name.is_empty();
    both.then(|| Found {
        resource,
        name: Cow::Owned(format!("{service}/{name}")),
        part: "",
        past_of: None,
    })
}

/// A file of configuration.
fn config<'a>(resource: Resource, parts: [&str; 3]) -> Option<Found<'a>> {
    let is_named = parts.iter().all(|part| !part.is_empty());
    is_named.then(|| Found {
        resource,
        name: Cow::Owned(parts.join("/")),
        part: "",
        past_of: None,
    })
}

/// A named part of what `found` names.
fn part_of<'a>(found: Found<'a>, part: &'a str) -> Option<Found<'a>> {
    (!part.is_empty()).then_some(Found { part, ..found })
}

/// What stands under a file of configuration.
fn below_config<'a>(parts: [&'a str; 3], rest: &[&'a str]) -> Option<Found<'a>> {
    use Resource as R;
    match *rest {
        [] => config(R::Document(Kind::Config), parts),
        ["content"] => config(R::ConfigContent, parts),
        ["reseal"] => config(R::Reseal, parts),
        ["effective"] => config(R::EffectiveConfig, parts),
        ["listeners"] => config(R::Listeners, parts),
        ["listeners", instance] => part_of(config(R::Listener, parts)?, instance),
        ["gray", name] => part_of(config(R::Gray, parts)?, name),
        ["gray", name, "promote"] => part_of(config(R::GrayPromotion, parts)?, name),
        ["promote"] => config(R::ConfigPromotion, parts),
        ["drafts"] => config(R::Drafts, parts),
        ["drafts", draft] => part_of(config(R::Draft, parts)?, draft),
        ["drafts", draft, "content"] => part_of(config(R::DraftContent, parts)?, draft),
        ["drafts", draft, "diff"] => part_of(config(R::DraftDiff, parts)?, draft),
        ["drafts", draft, "approve"] => part_of(config(R::DraftApproval, parts)?, draft),
        ["drafts", draft, "release"] => part_of(config(R::DraftRelease, parts)?, draft),
        _ => past(Kind::Config, config(R::History, parts)?, rest),
    }
}

/// The past of the document that `found` names, where one is kept of its kind.
fn past<'a>(kind: Kind, found: Found<'a>, rest: &[&'a str]) -> Option<Found<'a>> {
    use Resource as R;
    let (resource, part) = match *rest {
        ["history"] => (R::History, ""),
        ["diff"] => (R::VersionDiff, ""),
        ["rollback"] => (R::Rollback, ""),
        ["versions", version] if !version.is_empty() => (R::PastVersion, version),
        ["tags", tag] if !tag.is_empty() => (R::Tag, tag),
        _ => return None,
    };
    kind.keeps_history().then_some(Found {
        resource,
        part,
        past_of: Some(kind),
        ..found
    })
}

/// The paths below a namespace.
fn below<'a>(rest: &[&'a str]) -> Option<Found<'a>> {
    use Resource as R;
    match *rest {
        ["services", service, "instances"] => named(R::Instances, service),
        ["services", service, "instances", id] => under(R::Document(Kind::Instance), service, id),
        ["services", service, "instances", id, "heartbeat"] => under(R::Heartbeat, service, id),
        ["services", service, "instances", id, "maintenance"] => under(R::Maintenance, service, id),
        ["services", service, "instances", id, "timeline"] => under(R::Timeline, service, id),
        ["services", service, "instances", id, "checks", check] => {
            part_of(under(R::Check, service, id)?, check)
        }
        ["services", service, "versions"] => named(R::Versions, service),
        ["services", service, "versions", version] => {
            under(R::Document(Kind::ServiceVersion), service, version)
        }
        ["locks", name, "acquire"] => named(R::LockAcquire, name),
        ["locks", name, "renew"] => named(R::LockRenew, name),
        ["locks", name, "release"] => named(R::LockRelease, name),
        ["graph"] => found(R::Graph),
        ["graph", "impact", service] => named(R::Impact, service),
        ["stats"] => found(R::Stats),
        ["breakers"] => found(R::Breakers),
        ["limits"] => found(R::Limits),
        ["drafts"] => found(R::AllDrafts),
        ["policies", "effective"] => found(R::EffectivePolicy),
        ["watch"] => found(R::Watch),
        ["configs", service, environment, file, ref rest @ ..] => {
            below_config([service, environment, file], rest)
        }
        [plural] => found(R::Collection(kind(plural)?)),
        [plural, name] => {
            let kind = kind(plural)?;
            // Their names have several parts.
            let flat = !matches!(kind, Kind::Instance | Kind::ServiceVersion | Kind::Config);
            flat.then(|| named(R::Document(kind), name)).flatten()
        }
        [plural, name, ref rest @ ..] => past(kind(plural)?, named(R::History, name)?, rest),
        _ => None,
    }
}

fn kind(plural: &str) -> Option<Kind> {
    Kind::ALL
        .iter()
        .copied()
        .find(|kind| kind.plural() == plural)
}

fn namespace(segment: &str) -> Result<Namespace, Refusal> {
    let name = decode(segment)?;
    Namespace::new(&name).map_err(|error| {
        refuse(
            Code::BadRequest,
            format!("the namespace in the path: {error}"),
        )
    })
}

/// Percent-decodes names of a path. An encoded slash is refused: it would forge a key of another document.
fn decode(text: &str) -> Result<Cow<'_, str>, Refusal> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let bad = |why| refuse(Code::BadRequest, format!("{text:?} in the path {why}"));
    let decoded = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| bad("is not UTF-8 once decoded"))?;
    let slashes = |text: &str| text.bytes().filter(|byte| *byte == b'/').count();
    if slashes(&decoded) == slashes(text) {
        Ok(decoded)
    } else {
        Err(bad("has an encoded slash, which no name may have"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: http::Method, path: &str, expect: &str) {
        let shown = match resolve(&method, path) {
            Ok(target) => {
                let scope = target.scope.one().map_or("-", Namespace::as_str);
                format!(
                    "{:?} {scope} {:?} {:?}",
                    target.resource, target.name, target.part
                )
            }
            Err(problem) => format!("{} {}", problem.status, problem.code),
        };
        assert_eq!(shown, expect, "{method} {path}");
    }

    #[test]
    fn short_and_canonical_paths_name_the_same() {
        let get = || http::Method::GET;
        check(
            get(),
            "/api/v1/services",
            "Collection(Service) default \"\" \"\"",
        );
        check(
            get(),
            "/api/v1/namespaces/default/services",
            "Collection(Service) default \"\" \"\"",
        );
        check(
            get(),
            "/api/v1/namespaces/shop/services",
            "Collection(Service) shop \"\" \"\"",
        );
        check(
            get(),
            "/api/v1/namespaces/-/services",
            "Collection(Service) - \"\" \"\"",
        );
        check(
            get(),
            "/api/v1/services/a/instances",
            "Instances default \"a\" \"\"",
        );
        check(
            get(),
            "/api/v1/services/a/instances/i%3A1",
            "Document(Instance) default \"a/i:1\" \"\"",
        );
        check(
            http::Method::HEAD,
            "/api/v1/httproutes/r",
            "Document(HttpRoute) default \"r\" \"\"",
        );
        check(
            http::Method::PUT,
            "/api/v1/services/a/instances/i/checks/db%2Bx",
            "Check default \"a/i\" \"db+x\"",
        );
        check(
            http::Method::POST,
            "/api/v1/locks/l/acquire",
            "LockAcquire default \"l\" \"\"",
        );
        check(
            get(),
            "/api/v1/policies/calm/versions/v1%2Eb",
            "PastVersion default \"calm\" \"v1.b\"",
        );
        let file = "/api/v1/namespaces/shop/configs/users/prod/app.yaml";
        for (below, expect) in [
            ("", "Document(Config) shop \"users/prod/app.yaml\" \"\""),
            (
                "/content",
                "ConfigContent shop \"users/prod/app.yaml\" \"\"",
            ),
            (
                "/effective",
                "EffectiveConfig shop \"users/prod/app.yaml\" \"\"",
            ),
            (
                "/versions/3",
                "PastVersion shop \"users/prod/app.yaml\" \"3\"",
            ),
            (
                "/drafts/3/diff",
                "DraftDiff shop \"users/prod/app.yaml\" \"3\"",
            ),
        ] {
            check(get(), &format!("{file}{below}"), expect);
        }
        check(get(), "/healthz", "Live - \"\" \"\"");
    }

    #[test]
    fn every_resource_has_its_slot() {
        for (at, resource) in Resource::ALL.into_iter().enumerate() {
            assert_eq!(resource.slot(), at, "{resource:?}");
        }
    }

    #[test]
    fn what_is_not_served_says_so() {
        let get = || http::Method::GET;
        for path in [
            "/",
            "/api/v1",
            "/api/v1/teapots",
            "/api/v1/instances/a",
            "/api/v1/services/a/history",
            "/api/v1/policies/a/tags/",
            "/api/v1/configs/users/prod",
            "/api/v1/configs/users/prod/",
            "/api/v1/configs/users/prod/a/b",
            "/api/v1/services//instances",
            "/x/y",
        ] {
            check(get(), path, "404 unknown-path");
        }
        check(
            http::Method::DELETE,
            "/api/v1/services",
            "405 method-not-allowed",
        );
        check(
            http::Method::PATCH,
            "/api/v1/services/a",
            "405 method-not-allowed",
        );
        check(get(), "/api/v1/namespaces/A_B/services", "400 bad-request");
        check(get(), "/api/v1/services/a%2Fb", "400 bad-request");
        check(get(), "/api/v1/services/%ff", "400 bad-request");
    }
}
