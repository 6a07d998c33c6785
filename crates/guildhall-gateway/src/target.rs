//! Where a request is to go, in the one form that routes are matched against and that is passed
//! on; and how routes change it. Pure.

use std::borrow::Cow;

use bytes::Bytes;
use guildhall_core::route::{
    Reason, host, path,
    spec::{PathModifier, Redirect},
};
use http::{HeaderValue, Method, Uri, header, request, uri::PathAndQuery};

use crate::answer::Refusal;

/// The host as the client gave it: the target's own, else the `Host` header's (RFC 9112 section
/// 3.2.2). `None` in HTTP/1.0 without either.
pub(crate) fn authority(head: &request::Parts) -> Option<HeaderValue> {
    match head.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => head.headers.get(header::HOST).cloned(),
    }
}

/// The host that routes are matched against.
pub(crate) fn host(authority: Option<&HeaderValue>) -> Result<Cow<'_, str>, Refusal> {
    const INVALID: Refusal = Refusal::closing(
        Reason::RequestInvalid,
        "Host is not a host with an optional port",
    );
    match authority {
        None => Ok(Cow::Borrowed("")),
        Some(authority) => authority
            .to_str()
            .ok()
            .and_then(host::normalise)
            .ok_or(INVALID),
    }
}

/// The path that routes are matched against.
pub(crate) fn path<'u>(method: &Method, uri: &'u Uri) -> Result<Cow<'u, str>, Refusal> {
    let path = match uri.path() {
        // The target of `OPTIONS *` is the server; it is answered like any path without a route.
        "*" if method == Method::OPTIONS => return Ok(Cow::Borrowed("*")),
        // `GET http://host` has an empty path, which means the root.
        "" => "/",
        path => path,
    };
    path::normalise(path).map_err(|error| {
        let detail = match error {
            path::PathError::NotAbsolute => "the path does not begin with /",
            path::PathError::BadEscape => {
                "the path has a % without two hexadecimal digits after it"
            }
            path::PathError::Forbidden => {
                "the path has a control character, a space or a backslash"
            }
            path::PathError::AboveRoot => "the path climbs above its root",
        };
        Refusal::new(Reason::RequestInvalid, detail)
    })
}

/// What is asked of the backend: `path` with the query of `uri`.
pub(crate) fn outgoing(path: Cow<'_, str>, uri: &Uri) -> Uri {
    if let Cow::Borrowed(same) = &path
        && uri.authority().is_none()
        && std::ptr::eq(*same, uri.path())
    {
        return uri.clone();
    }
    let text = match uri.query() {
        Some(query) => Bytes::from(format!("{path}?{query}")),
        None => Bytes::from(path.into_owned()),
    };
    // The normal form holds no byte that a target may not have.
    PathAndQuery::from_maybe_shared(text)
        .map(Uri::from)
        .unwrap_or_default()
}

/// `path` after a route's change; `prefix` is how much of it the match took.
pub(crate) fn modify(path: &str, prefix: usize, modifier: &PathModifier) -> String {
    match modifier {
        PathModifier::ReplaceFullPath(whole) => whole.clone(),
        PathModifier::ReplacePrefixMatch(replacement) => {
            let rest = path.get(prefix..).unwrap_or_default();
            let changed = format!("{}{rest}", replacement.trim_end_matches('/'));
            match changed.as_str() {
                "" => "/".to_owned(),
                _ if rest.is_empty() && !replacement.is_empty() => replacement.clone(),
                _ => changed,
            }
        }
    }
}

/// Where a redirect leads, as `Location` says it.
pub(crate) fn location(
    redirect: &Redirect,
    authority: &str,
    path: &str,
    prefix: usize,
    query: Option<&str>,
) -> String {
    let scheme = redirect.scheme.as_deref().unwrap_or("http");
    let (own_host, own_port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (host, port.parse().ok())
        }
        _ => (authority.trim_end_matches(':'), None),
    };
    let host = redirect.hostname.as_deref().unwrap_or(own_host);
    // A scheme brings its own port; without one the client stays where it came in.
    let port = redirect
        .port
        .or_else(|| redirect.scheme.is_none().then_some(own_port).flatten());
    let usual = if scheme == "https" { 443 } else { 80 };
    let path = match &redirect.path {
        Some(modifier) => Cow::Owned(modify(path, prefix, modifier)),
        None => Cow::Borrowed(path),
    };
    let port = port
        .filter(|port| *port != usual)
        .map_or(String::new(), |port| format!(":{port}"));
    let query = query.map_or(String::new(), |query| format!("?{query}"));
    format!("{scheme}://{host}{port}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_replaced_as_the_standard_tabulates() {
        for (path, prefix, replacement, expected) in [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"),
            ("/foo/", "/foo", "/xyz", "/xyz/"),
            ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"),
            ("/foo", "/foo", "", "/"),
            ("/foo/", "/foo", "/", "/"),
            ("/foo", "/foo", "/", "/"),
            ("/bar", "", "/x", "/x/bar"),
        ] {
            let modifier = PathModifier::ReplacePrefixMatch(replacement.to_owned());
            assert_eq!(
                modify(path, prefix.len(), &modifier),
                expected,
                "{path} {replacement}"
            );
        }
    }

    #[test]
    fn a_location_keeps_what_the_redirect_does_not_change() {
        let check = |redirect: Redirect, expected: &str| {
            assert_eq!(
                location(&redirect, "shop.com:8080", "/a/b", 2, Some("q=1")),
                expected
            );
        };
        let none = Redirect::default();
        check(none.clone(), "http://shop.com:8080/a/b?q=1");
        check(
            Redirect {
                scheme: Some("https".to_owned()),
                ..none.clone()
            },
            "https://shop.com/a/b?q=1",
        );
        check(
            Redirect {
                port: Some(80),
                ..none.clone()
            },
            "http://shop.com/a/b?q=1",
        );
        check(
            Redirect {
                scheme: Some("https".to_owned()),
                port: Some(8443),
                ..none.clone()
            },
            "https://shop.com:8443/a/b?q=1",
        );
        check(
            Redirect {
                hostname: Some("x.org".to_owned()),
                ..none.clone()
            },
            "http://x.org:8080/a/b?q=1",
        );
        let path = Some(PathModifier::ReplacePrefixMatch("/z".to_owned()));
        check(Redirect { path, ..none }, "http://shop.com:8080/z/b?q=1");
    }

    #[test]
    fn the_target_that_is_passed_on_is_the_one_that_was_matched() {
        for (target, expected) in [
            ("/a?b=%2e", "/a?b=%2e"),
            ("/a/../b%2Fc?x", "/b%2Fc?x"),
            ("http://h/a//b", "/a/b"),
            ("http://h", "/"),
            ("http://h?q", "/?q"),
            ("*", "*"),
        ] {
            let uri: Uri = target.parse().unwrap();
            let path = path(&Method::OPTIONS, &uri).unwrap();
            assert_eq!(outgoing(path, &uri).to_string(), expected, "{target}");
        }
    }
}
