//! Paths, hosts and routes: there is one normal form, nothing climbs out of it, and any request meets any routes.
//!
//! The first part is `METHOD HOST TARGET` and header lines below it, each other part an HTTPRoute.
#![no_main]

use std::sync::Arc;

use guildhall_core::{
    document::{Body, Document, Kind},
    route::{Gateways, RequestHead, RouteTable, host, path},
};
use guildhall_fuzz::parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let Some((request, routes)) = parts.split_first() else {
        return;
    };
    let Ok(request) = std::str::from_utf8(request) else {
        return;
    };
    let mut lines = request.lines();
    let mut words = lines.next().unwrap_or_default().splitn(3, ' ');
    let mut word = || words.next().unwrap_or_default();
    let (method, authority, target) = (word(), word(), word());
    let (given, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let path = path::normalise(given);
    if let Ok(path) = &path {
        check_path(path);
    }
    let host = host::normalise(authority);
    if let Some(host) = &host {
        assert_eq!(host::normalise(host).as_deref(), Some(&**host));
        assert!(!host.bytes().any(|b| b.is_ascii_uppercase() || b == b'/'));
    }
    let routes: Vec<_> = routes
        .iter()
        .take(4)
        .filter_map(|part| {
            let body = Body::parse(std::str::from_utf8(part).ok()?).ok()?;
            match body.into_document(Kind::HttpRoute, None, None).ok()? {
                Document::HttpRoute(route) => Some(route),
                _ => None,
            }
        })
        .collect();
    let table = RouteTable::compile(&routes, &Gateways::default());
    let (Ok(path), Some(host), Ok(method)) = (path, host, method.parse::<Method>()) else {
        return;
    };
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some((name, value)) = line.split_once(": ") else {
            continue;
        };
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    let head = RequestHead {
        method: &method,
        host: &host,
        path: &path,
        query,
        headers: &headers,
    };
    let Some(found) = table.find(&head) else {
        return;
    };
    assert!(
        path.get(found.prefix..).is_some(),
        "{path} {}",
        found.prefix
    );
    // The same routes in another order are the same table.
    let reversed: Vec<Arc<_>> = routes.iter().rev().cloned().collect();
    let other = RouteTable::compile(&reversed, &Gateways::default());
    assert_eq!(
        other.find(&head).map(|found| found.prefix),
        Some(found.prefix)
    );
});

fn check_path(path: &str) {
    assert!(path.starts_with('/'));
    assert_eq!(path::normalise(path).as_deref(), Ok(path));
    for part in path.split('/') {
        assert!(part != "." && part != "..", "{path}");
    }
    assert!(!path.contains("//"), "{path}");
    assert!(path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\'));
    for hidden in ["%2e", "%2E", "%5c", "%5C", "%00", "%0a", "%0A"] {
        assert!(!path.contains(hidden), "{path}");
    }
}
