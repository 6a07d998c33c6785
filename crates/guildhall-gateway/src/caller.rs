//! The caller's deadline on the wire: read from the head of a request, and told on to whoever is asked for its sake.
//!
//! Who sends a request can only shorten what the gateway allows anyway, so nobody has to be trusted: a client that says
//! how long it waits gives up nothing but answers it would not have seen. What cannot be read is no deadline, and 0
//! milliseconds are none, as with Envoy; of several the nearest counts.

use std::time::Duration;

use guildhall_resilience::deadline::header::{
    self as wire, format_envoy_expected, format_grpc_timeout, parse_envoy_expected,
    parse_grpc_timeout,
};
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};

/// gRPC's.
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static(wire::GRPC_TIMEOUT);
/// Envoy's, for who is behind it.
const EXPECTED: HeaderName = HeaderName::from_static(wire::ENVOY_EXPECTED);

/// How long whoever sent these headers waits.
pub(crate) fn patience(headers: &HeaderMap) -> Option<Duration> {
    let read = |name: HeaderName, parse: fn(&str) -> Option<Duration>| {
        let values = headers.get_all(name).into_iter();
        values
            .filter_map(move |value| parse(value.to_str().ok()?))
            .min()
    };
    let grpc = read(GRPC_TIMEOUT, parse_grpc_timeout);
    let expected = read(EXPECTED, parse_envoy_expected);
    grpc.into_iter().chain(expected).min()
}

/// Takes away what was said to this gateway. A `grpc-timeout` stays: where it cannot be read, the service's gRPC says so.
pub(crate) fn forget(headers: &mut HeaderMap) {
    headers.remove(EXPECTED);
}

/// Says that `left` is left: as Envoy does, and to gRPC in its own words.
pub(crate) fn tell(headers: &mut HeaderMap, left: Duration) {
    headers.insert(EXPECTED, format_envoy_expected(left).into());
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_grpc = kind.is_some_and(|kind| kind.starts_with(b"application/grpc"));
    if (is_grpc || headers.contains_key(GRPC_TIMEOUT))
        && let Ok(value) = HeaderValue::try_from(format_grpc_timeout(left).to_string())
    {
        headers.insert(GRPC_TIMEOUT, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_nearest_deadline_that_can_be_read_counts() {
        let (grpc, expected) = (wire::GRPC_TIMEOUT, wire::ENVOY_EXPECTED);
        let check = |lines: &[(&'static str, &'static str)], millis: Option<u64>| {
            let waits = millis.map(Duration::from_millis);
            assert_eq!(patience(&map(lines)), waits, "{lines:?}");
        };
        check(&[], None);
        check(&[(grpc, "2S")], Some(2000));
        check(&[(expected, "1500")], Some(1500));
        check(&[(grpc, "2S"), (expected, "1500")], Some(1500));
        check(&[(grpc, "1S"), (expected, "1500")], Some(1000));
        check(&[(expected, "1500"), (expected, "20")], Some(20));
        check(&[(grpc, "0n")], Some(0));
        check(&[(expected, "0"), (grpc, "1S")], Some(1000));
        // No limit, or nothing that can be read.
        for odd in ["0", "", "1.5", "-1", "5ms", "1e3", "99999999999999999999"] {
            check(&[(expected, odd)], None);
        }
        for odd in ["", "5", "S", "-1S", "1 S", "123456789S"] {
            check(&[(grpc, odd)], None);
        }
    }

    #[test]
    fn who_speaks_grpc_is_told_in_its_words() {
        let left = Duration::from_millis(1250);
        let told = |mut headers: HeaderMap| {
            tell(&mut headers, left);
            assert_eq!(headers[wire::ENVOY_EXPECTED], "1250");
            headers.get(wire::GRPC_TIMEOUT).cloned()
        };
        let in_grpc = Some(HeaderValue::from_static("1250000u"));
        assert_eq!(told(map(&[("content-type", "application/json")])), None);
        assert_eq!(told(map(&[(wire::GRPC_TIMEOUT, "9S")])), in_grpc);
        assert_eq!(
            told(map(&[("content-type", "application/grpc+proto")])),
            in_grpc
        );
    }
}
