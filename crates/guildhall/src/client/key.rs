//! What a call is known by, for limits and balancers that go by something in it.

use std::borrow::Cow;

use guildhall_api::wire::header::SERVICE_ID;
use guildhall_core::policy::compile::KeyedBy;
use guildhall_resilience::balance::xxh64;
use http::{HeaderMap, Uri, header::COOKIE};

/// What `by` finds in a call; empty if there is nothing of it. The caller is this service itself, and so is the source
/// of all that it sends.
pub(crate) fn of<'a>(by: &KeyedBy, headers: &'a HeaderMap, uri: &'a Uri) -> Cow<'a, str> {
    let found = match by {
        KeyedBy::SourceIp => None,
        KeyedBy::Caller => text(headers, SERVICE_ID.as_str()),
        KeyedBy::Header(name) => text(headers, name.as_str()),
        KeyedBy::Cookie(name) => cookie(headers, name),
        KeyedBy::QueryParam(name) => query(uri, name),
        KeyedBy::PathSegment(index) => uri
            .path()
            .trim_start_matches('/')
            .split('/')
            .nth(usize::from(*index)),
    };
    Cow::Borrowed(found.unwrap_or_default())
}

/// The hash of that, for a balancer.
pub(crate) fn hash(by: &KeyedBy, headers: &HeaderMap, uri: &Uri) -> u64 {
    xxh64(of(by, headers, uri).as_bytes(), 0)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).iter();
    let pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

fn query<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri.query()?.split('&');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_by_what_the_policy_says() {
        let request = http::Request::get("/users/7?tenant=a&b=c")
            .header("x-user", "u1")
            .header("x-service-id", "orders")
            .header("cookie", "a=1; session=s9")
            .body(())
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
            let found = of(&by, request.headers(), request.uri());
            assert_eq!(found, expect, "{by:?}");
        }
    }
}
