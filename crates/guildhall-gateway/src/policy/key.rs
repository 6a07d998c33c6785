//! What a request is known by: to a limit that counts for each client, to a balancer that keeps one with its endpoint.

use std::borrow::Cow;

use guildhall_core::policy::compile::KeyedBy;
use http::{HeaderName, header::COOKIE, request};

use crate::peer::Peer;

/// The caller's own word for itself.
const X_SERVICE_ID: HeaderName = HeaderName::from_static("x-service-id");

/// What keys are found in: the request as the client sent it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys<'r> {
    pub(super) head: &'r request::Parts,
    /// In normal form.
    pub(super) path: &'r str,
    pub(super) peer: &'r Peer,
}

impl<'r> Keys<'r> {
    /// The key; empty for a request that has none.
    pub(super) fn find(&self, by: &KeyedBy) -> Cow<'r, str> {
        match by {
            KeyedBy::SourceIp => self.source(),
            KeyedBy::Caller => self.header(&X_SERVICE_ID),
            KeyedBy::Header(name) => self.header(name),
            KeyedBy::Cookie(name) => Cow::Borrowed(self.cookie(name).unwrap_or_default()),
            KeyedBy::QueryParam(name) => Cow::Borrowed(self.query(name).unwrap_or_default()),
            KeyedBy::PathSegment(index) => {
                let mut segments = self.path.split('/').skip(1);
                Cow::Borrowed(segments.nth(usize::from(*index)).unwrap_or_default())
            }
        }
    }

    /// The client's address: the peer's, or what a trusted proxy says of whom it took the request from.
    fn source(&self) -> Cow<'r, str> {
        let told = || {
            let told = self.head.headers.get_all("x-forwarded-for");
            let last = told.iter().next_back()?.to_str().ok()?;
            let last = last.rsplit(',').next()?.trim();
            (!last.is_empty()).then_some(last)
        };
        match self.peer.trusted.then(told).flatten() {
            Some(told) => Cow::Borrowed(told),
            None => Cow::Borrowed(self.peer.forwarded_for.to_str().unwrap_or_default()),
        }
    }

    fn header(&self, name: &HeaderName) -> Cow<'r, str> {
        let value = self.head.headers.get(name);
        value.map_or(Cow::Borrowed(""), |value| {
            String::from_utf8_lossy(value.as_bytes())
        })
    }

    fn cookie(&self, name: &str) -> Option<&'r str> {
        let all = self.head.headers.get_all(COOKIE).into_iter();
        let mut pairs = all
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        pairs
            .find(|(given, _)| *given == name)
            .map(|(_, value)| value)
    }

    /// As it was sent: two ways to escape a character are two keys.
    fn query(&self, name: &str) -> Option<&'r str> {
        let mut pairs = self.head.uri.query()?.split('&');
        pairs.find_map(|pair| {
            let (given, value) = pair.split_once('=').unwrap_or((pair, ""));
            (given == name).then_some(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    fn check(by: KeyedBy, expected: &str) {
        let request = Request::get("/shop/42/items?user=ann&user=bob&empty")
            .header("x-service-id", "orders")
            .header("x-tenant", "acme")
            .header("x-forwarded-for", "10.0.0.7, 10.0.0.8")
            .header("cookie", "a=1; session=abc=d")
            .header("cookie", "later=2");
        let (head, ()) = request.body(()).unwrap().into_parts();
        for trusted in [false, true] {
            let peer = Peer {
                forwarded_for: HeaderValue::from_static("192.0.2.1"),
                trusted,
            };
            let keys = Keys {
                head: &head,
                path: "/shop/42/items",
                peer: &peer,
            };
            let expected = match &by {
                KeyedBy::SourceIp if trusted => "10.0.0.8",
                _ => expected,
            };
            assert_eq!(keys.find(&by), expected, "{by:?}");
        }
    }

    #[test]
    fn a_request_is_known_by_its_parts() {
        check(KeyedBy::SourceIp, "192.0.2.1");
        check(KeyedBy::Caller, "orders");
        check(KeyedBy::Header(HeaderName::from_static("x-tenant")), "acme");
        check(KeyedBy::Header(HeaderName::from_static("x-none")), "");
        check(KeyedBy::Cookie("session".to_owned()), "abc=d");
        check(KeyedBy::Cookie("later".to_owned()), "2");
        check(KeyedBy::Cookie("none".to_owned()), "");
        check(KeyedBy::QueryParam("user".to_owned()), "ann");
        check(KeyedBy::QueryParam("empty".to_owned()), "");
        check(KeyedBy::PathSegment(0), "shop");
        check(KeyedBy::PathSegment(2), "items");
        check(KeyedBy::PathSegment(3), "");
    }
}
