//! What a call is known by, for limits and balancers that go by something in it.

use std::borrow::Cow;

use bytes::Bytes;
use guildhall_api::wire::header::SERVICE_ID;
use guildhall_core::policy::compile::KeyedBy;
use guildhall_resilience::balance::xxh64;
use http::{Request, header::COOKIE};

/// What `by` finds in a call; empty if there is nothing of it. The caller is this service itself, and so is the source
/// of all that it sends.
pub(crate) fn of<'a>(by: &KeyedBy, request: &'a Request<Bytes>) -> Cow<'a, str> {
    let found = match by {
        KeyedBy::SourceIp => None,
        KeyedBy::Caller => text(request, SERVICE_ID.as_str()),
        KeyedBy::Header(name) => text(request, name.as_str()),
        KeyedBy::Cookie(name) => cookie(request, name),
        KeyedBy::QueryParam(name) => query(request, name),
        KeyedBy::PathSegment(index) => request
            .uri()
            .path()
            .trim_start_matches('/')
            .split('/')
            .nth(usize::from(*index)),
    };
    Cow::Borrowed(found.unwrap_or_default())
}

/// The hash of that, for a balancer.
pub(crate) fn hash(by: &KeyedBy, request: &Request<Bytes>) -> u64 {
    xxh64(of(by, request).as_bytes(), 0)
}

fn text<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

fn cookie<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    let all = request.headers().get_all(COOKIE).iter();
    let pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

fn query<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    let pairs = request.uri().query()?.split('&');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_by_what_the_policy_says() {
        let request = Request::get("/users/7?tenant=a&b=c")
            .header("x-user", "u1")
            .header("x-service-id", "orders")
            .header("cookie", "a=1; session=s9")
            .body(Bytes::new())
            .unwrap();
        let table = [
            (KeyedBy::SourceIp, ""),
            (KeyedBy::Caller, "orders"),
            (KeyedBy::Header("x-user".parse().unwrap()), "u1"),
            (KeyedBy::Header("x-other".parse().unwrap()), ""),
            (KeyedBy::Cookie("session".into()), "s9"),
            (KeyedBy::QueryParam("tenant".into()), "a"),
            (KeyedBy::PathSegment(1), "7"),
            (KeyedBy::PathSegment(5), ""),
        ];
        for (by, expect) in table {
            assert_eq!(of(&by, &request), expect, "{by:?}");
        }
    }
}
