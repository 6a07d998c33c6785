//! The headers that Guildhall adds to HTTP's own.

use http::HeaderName;
use percent_encoding::percent_decode;

use super::path;

/// `incarnation.revision`: on a write the index that covers it, on a read the one it stands at.
pub const INDEX: HeaderName = HeaderName::from_static("guildhall-index");
/// Something that was ignored or is about to change, for people; may stand more than once.
pub const WARNING: HeaderName = HeaderName::from_static("guildhall-warning");
/// Why a document is written or deleted, in its author's words: kept in its history.
pub const COMMENT: HeaderName = HeaderName::from_static("guildhall-comment");
/// Which files' versions a configuration is: `users/prod/app.yaml@3` (`…#blue` of a gray release), several separated by commas, the most general first.
pub const CONFIG: HeaderName = HeaderName::from_static("guildhall-config");
/// What is seen of sealed values in a content: `masked` or `revealed`; absent where nothing is sealed.
pub const SEALED: HeaderName = HeaderName::from_static("guildhall-sealed");
/// The draft that was made of a write, by its number.
pub const DRAFT: HeaderName = HeaderName::from_static("guildhall-draft");
/// Why the gateway or the SDK refused a request, in one word.
pub const REASON: HeaderName = HeaderName::from_static("guildhall-reason");
/// The request's id; accepted from the caller or made, and carried through every hop.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The service that calls.
pub const SERVICE_ID: HeaderName = HeaderName::from_static("x-service-id");
/// W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// W3C trace context, the vendors' part.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// Where an event stream is taken up again.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The most bytes of a request id that is accepted from a caller.
pub const MAX_REQUEST_ID: usize = 128;

/// Whether a caller's request id is taken over: 1–128 visible ASCII characters.
pub fn is_request_id(id: &str) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
}

/// The `ETag` of a spec's revision: `"42"`.
pub fn etag(revision: u64) -> String {
    format!("\"{revision}\"")
}

/// The revision an `If-Match` or `ETag` value names; `None` for `*`, lists and anything else.
pub fn parse_etag(value: &str) -> Option<u64> {
    let value = value.trim();
    let value = value.strip_prefix("W/").unwrap_or(value);
    value.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// How a header value says that it is encoded (RFC 8187).
const ENCODED: &str = "UTF-8''";

/// A comment as a header's value: plain ASCII as it is, other text as RFC 8187 writes it.
pub fn encode_comment(comment: &str) -> String {
    let plain = comment.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match plain && !comment.starts_with(ENCODED) {
        true => comment.to_owned(),
        false => format!("{ENCODED}{}", path::encode(comment)),
    }
}

/// Reads a comment back; UTF-8 that was sent as it is is taken, too. `None`: it is no text.
pub fn decode_comment(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    match text.get(..ENCODED.len()) {
        Some(mark) if mark.eq_ignore_ascii_case(ENCODED) => {
            let encoded = &value[ENCODED.len()..];
            let decoded = percent_decode(encoded).decode_utf8().ok()?;
            Some(decoded.into_owned())
        }
        _ => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_of_any_letters_reads_back() {
        for comment in ["why not", "100 %", "für alle\nund immer", "UTF-8''x", ""] {
            let encoded = encode_comment(comment);
            assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            assert_eq!(decode_comment(encoded.as_bytes()).as_deref(), Some(comment));
        }
        assert_eq!(encode_comment("why not"), "why not");
        assert_eq!(decode_comment("für".as_bytes()).as_deref(), Some("für"));
        assert_eq!(decode_comment(b"f\xfcr"), None);
        assert_eq!(decode_comment(b"UTF-8''f%fcr"), None);
    }

    #[test]
    fn an_etag_reads_back() {
        assert_eq!(parse_etag(&etag(42)), Some(42));
        assert_eq!(parse_etag("W/\"7\""), Some(7));
        for bad in ["*", "42", "\"a\"", "\"1\", \"2\"", ""] {
            assert_eq!(parse_etag(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_request_id_is_short_and_visible() {
        assert!(is_request_id("req-1"));
        for bad in ["", "a b", "a\u{7f}", "ü", &"x".repeat(129)] {
            assert!(!is_request_id(bad), "{bad:?}");
        }
    }
}
