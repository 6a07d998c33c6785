//! What the gateway does to a request's headers: nothing that belongs to the connection passes, a stranger is not believed,
//! and what says how to read the message stays.
//!
//! The gateway's sources are compiled into the target: the whole crate would take minutes more.
#![no_main]

#[allow(dead_code, reason = "the gateway uses more of it")]
#[rustfmt::skip]
#[path = "../../crates/guildhall-gateway/src/headers.rs"]
mod headers;
#[allow(dead_code, reason = "the gateway uses more of it")]
#[rustfmt::skip]
#[path = "../../crates/guildhall-gateway/src/peer.rs"]
mod peer;

use headers::{Noted, forward, request_hygiene, request_id, response_hygiene, trace_context};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use peer::{Cidr, Peer};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    if let Some(range) = std::str::from_utf8(first)
        .ok()
        .and_then(|text| text.parse::<Cidr>().ok())
    {
        assert_eq!(range.to_string().parse(), Ok(range));
        let _ = range.contains([10, 0, 0, 9].into());
    }
    let mut given = HeaderMap::new();
    for line in lines.take(32) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            given.append(name, value);
        }
    }
    let address = "10.0.0.9:1234".parse().expect("an address");
    let trusted = ["10.0.0.0/8".parse::<Cidr>().expect("a range")];
    let host = HeaderValue::from_static("shop");
    for ranges in [&trusted[..], &[]] {
        let mut headers = given.clone();
        let noted = Noted::of(&headers);
        let peer = Peer::new(address, ranges);
        let upgrade = request_hygiene(&mut headers, noted);
        assert!(upgrade.is_none() || given.contains_key(header::UPGRADE));
        forward(&mut headers, noted, &peer, Some(&host));
        check_hops(&headers, &given);
        let told = headers.get_all("x-forwarded-for").iter().next_back();
        let told = told.expect("the backend is told who asks").as_bytes();
        assert!(told.ends_with(b"10.0.0.9"), "{headers:?}");
        if !peer.trusted {
            assert_eq!(told, b"10.0.0.9");
            assert_eq!(headers.get("x-forwarded-host"), Some(&host));
            assert_eq!(headers.get_all("x-forwarded-host").iter().count(), 1);
            assert!(!headers.contains_key("x-forwarded-port"));
        }
        assert!(!headers.contains_key("forwarded") && !headers.contains_key("x-real-ip"));
        let id = request_id(&mut headers, &mut fastrand::Rng::with_seed(1));
        assert!((1..=128).contains(&id.as_bytes().len()));
        assert!(id.as_bytes().iter().all(u8::is_ascii_graphic));
        assert_eq!(headers.get("x-request-id"), Some(&id.to_value()));
        match trace_context(&mut headers) {
            Some(parent) => {
                assert!(parent.len() >= 55 && parent.is_ascii_text());
                assert_eq!(headers.get_all("traceparent").iter().count(), 1);
            }
            None => assert!(!headers.contains_key("traceparent")),
        }
    }
    let mut answer = given.clone();
    let _ = response_hygiene(&mut answer);
    check_hops(&answer, &given);
    if given.contains_key(header::TRANSFER_ENCODING) {
        assert!(!answer.contains_key(header::CONTENT_LENGTH));
    }
});

/// What concerns the connection is gone; host and length are there if they were.
fn check_hops(headers: &HeaderMap, given: &HeaderMap) {
    for gone in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "http2-settings",
        "expect",
        "proxy-authorization",
        "proxy-authenticate",
        "transfer-encoding",
        "upgrade",
    ] {
        assert!(!headers.contains_key(gone), "{gone} in {headers:?}");
    }
    assert_eq!(headers.get(header::HOST), given.get(header::HOST));
    if let Some(te) = headers.get(header::TE) {
        assert!(te == "trailers" || given.get(header::TE) == Some(te));
    }
}

trait Text {
    fn is_ascii_text(&self) -> bool;
}

impl Text for HeaderValue {
    fn is_ascii_text(&self) -> bool {
        self.as_bytes().iter().all(u8::is_ascii_graphic)
    }
}
