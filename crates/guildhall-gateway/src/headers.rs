//! What a proxy does to headers, both ways: pure changes of a header map.

use bytes::Bytes;
use guildhall_core::route::table::HeaderEdit;
use guildhall_resilience::deadline::header as wire;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
        TRANSFER_ENCODING, UPGRADE,
    },
};
use smallvec::SmallVec;

use crate::peer::Peer;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const FORWARDED: HeaderName = http::header::FORWARDED;
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// Which of the headers that a proxy has something to do with are there: found in one pass over
/// the names, where asking the map for each would hash each.
#[derive(Clone, Copy, Debug, Default)]
struct Present {
    connection: bool,
    upgrade: bool,
    /// Any of those that are simply taken away.
    hop: bool,
    transfer_encoding: bool,
    te: bool,
}

/// The same of a request: one pass serves all that looks for headers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noted {
    present: Present,
    pub(crate) expect: bool,
    /// Anything that says who asked a proxy before.
    forwarded: bool,
    /// Anything that says how long the client waits.
    pub(crate) deadline: bool,
}

impl Noted {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut noted = Self::default();
        for name in headers.keys() {
            match name.as_str() {
                "forwarded" | "x-real-ip" | "x-forwarded-for" | "x-forwarded-port"
                | "x-forwarded-proto" | "x-forwarded-host" => noted.forwarded = true,
                wire::GRPC_TIMEOUT | wire::ENVOY_EXPECTED => noted.deadline = true,
                name => {
                    noted.expect |= name == "expect";
                    noted.present.note(name);
                }
            }
        }
        noted
    }
}

/// Taken away whatever they say.
const HOP_BY_HOP: [HeaderName; 6] = [
    KEEP_ALIVE,
    PROXY_CONNECTION,
    HTTP2_SETTINGS,
    // The library answers the client's expectation itself when the body is first read, and sends
    // the body on at once.
    EXPECT,
    PROXY_AUTHORIZATION,
    PROXY_AUTHENTICATE,
];

impl Present {
    fn of(headers: &HeaderMap) -> Self {
        let mut present = Self::default();
        for name in headers.keys() {
            present.note(name.as_str());
        }
        present
    }

    fn note(&mut self, name: &str) {
        match name {
            "connection" => self.connection = true,
            "upgrade" => self.upgrade = true,
            "te" => self.te = true,
            "transfer-encoding" => self.transfer_encoding = true,
            "keep-alive"
            | "proxy-connection"
            | "http2-settings"
            | "expect"
            | "proxy-authorization"
            | "proxy-authenticate" => self.hop = true,
            _ => {}
        }
    }
}

/// Takes away what concerns the connection and not the message (RFC 9110 section 7.6.1), and says
/// which upgrade the message asks for.
fn strip_hop_by_hop(headers: &mut HeaderMap, present: Present) -> Option<HeaderValue> {
    let mut upgrades = false;
    if present.connection {
        let mut named: SmallVec<[HeaderName; 4]> = SmallVec::new();
        for value in headers.get_all(CONNECTION) {
            for option in value
                .as_bytes()
                .split(|byte| *byte == b',')
                .map(<[u8]>::trim_ascii)
            {
                match HeaderName::from_bytes(option) {
                    // What frames or addresses the message is not the connection's to name: taking
                    // it away would change the message's meaning.
                    Ok(HOST | CONTENT_LENGTH | TRANSFER_ENCODING) => {}
                    Ok(UPGRADE) => upgrades = true,
                    Ok(name) => named.push(name),
                    Err(_) => {}
                }
            }
        }
        headers.remove(CONNECTION);
        // `TE` is named by whoever sends it; what remains of it is decided below.
        for name in named.iter().filter(|name| **name != TE) {
            headers.remove(name);
        }
    }
    if present.hop {
        for name in HOP_BY_HOP {
            headers.remove(name);
        }
    }
    if present.transfer_encoding {
        headers.remove(TRANSFER_ENCODING);
    }
    if present.upgrade {
        headers.remove(UPGRADE).filter(|_| upgrades)
    } else {
        None
    }
}

/// Prepares a request's headers for the backend; gives the upgrade that is asked for. `noted` is what it came with.
pub(crate) fn request_hygiene(headers: &mut HeaderMap, noted: Noted) -> Option<HeaderValue> {
    let upgrade = strip_hop_by_hop(headers, noted.present);
    if noted.present.te
        && let Some(te) = headers.remove(TE)
    {
        // gRPC needs to be told that trailers arrive; all other codings end here.
        let mut codings = te
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii);
        if codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers")) {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
    }
    upgrade
}

/// Prepares a response's headers for the client; gives the protocol switched to.
pub(crate) fn response_hygiene(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let present = Present::of(headers);
    if present.transfer_encoding {
        // The coding decides about the length (RFC 9112 section 6.3); to pass on both would hand
        // the ambiguity to the client.
        headers.remove(CONTENT_LENGTH);
    }
    strip_hop_by_hop(headers, present)
}

/// Tells the backend who asks. What a client says about itself is only believed, and extended, if
/// it is a trusted proxy.
pub(crate) fn forward(
    headers: &mut HeaderMap,
    noted: Noted,
    peer: &Peer,
    host: Option<&HeaderValue>,
) {
    if !noted.forwarded {
        headers.append(X_FORWARDED_FOR, peer.forwarded_for.clone());
        headers.append(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
        if let Some(host) = host {
            headers.append(X_FORWARDED_HOST, host.clone());
        }
        return;
    }
    // Never written here, and so never to be believed.
    headers.remove(FORWARDED);
    headers.remove(X_REAL_IP);
    if peer.trusted {
        let mut list = Vec::new();
        for listed in headers.get_all(X_FORWARDED_FOR) {
            list.extend_from_slice(listed.as_bytes());
            list.extend_from_slice(b", ");
        }
        list.extend_from_slice(peer.forwarded_for.as_bytes());
        // Made of valid values, it is one.
        let value = HeaderValue::from_maybe_shared(Bytes::from(list));
        let value = value.unwrap_or_else(|_| peer.forwarded_for.clone());
        headers.insert(X_FORWARDED_FOR, value);
        if !headers.contains_key(X_FORWARDED_PROTO) {
            headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
        }
        if let (false, Some(host)) = (headers.contains_key(X_FORWARDED_HOST), host) {
            headers.insert(X_FORWARDED_HOST, host.clone());
        }
        return;
    }
    headers.insert(X_FORWARDED_FOR, peer.forwarded_for.clone());
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    headers.remove(X_FORWARDED_PORT);
    match host {
        Some(host) => drop(headers.insert(X_FORWARDED_HOST, host.clone())),
        None => drop(headers.remove(X_FORWARDED_HOST)),
    }
}

/// The id a request goes by.
#[derive(Clone, Debug)]
pub(crate) enum RequestId {
    /// The client's.
    Given(HeaderValue),
    /// A new one. Kept as it is: most requests show it to the backend and to nobody else.
    Made([u8; 36]),
}

impl RequestId {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Given(id) => id.as_bytes(),
            Self::Made(id) => id,
        }
    }

    pub(crate) fn to_value(&self) -> HeaderValue {
        match self {
            Self::Given(id) => id.clone(),
            // Hexadecimal digits and dashes are always a valid value.
            Self::Made(id) => {
                HeaderValue::from_bytes(id).unwrap_or_else(|_| HeaderValue::from_static("none"))
            }
        }
    }
}

/// The request's id: the client's if it is of use, else a new one. Put into `headers`.
pub(crate) fn request_id(headers: &mut HeaderMap, random: &mut fastrand::Rng) -> RequestId {
    if let Some(id) = headers.get(X_REQUEST_ID) {
        // It ends up in logs and headers: nothing long, nothing odd.
        let usable =
            (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
        if usable {
            return RequestId::Given(id.clone());
        }
    }
    let id = RequestId::Made(uuid(random));
    headers.insert(X_REQUEST_ID, id.to_value());
    id
}

/// A random UUID, version 4.
fn uuid(random: &mut fastrand::Rng) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let (high, low) = (random.u64(..), random.u64(..));
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (n, byte) in bytes.into_iter().enumerate() {
        at += usize::from(matches!(n, 4 | 6 | 8 | 10));
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 0xf)];
        at += 2;
    }
    text
}

/// Keeps a valid W3C trace context and takes an invalid one away, as the standard asks of whoever
/// passes it on. Starting one is tracing's.
pub(crate) fn trace_context(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let parent = headers.get(TRACEPARENT)?;
    let only = headers.get_all(TRACEPARENT).iter().nth(1).is_none();
    if only && is_traceparent(parent.as_bytes()) {
        return Some(parent.clone());
    }
    headers.remove(TRACEPARENT);
    headers.remove(TRACESTATE);
    None
}

fn is_traceparent(value: &[u8]) -> bool {
    let hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let some = |part: &[u8]| hex(part) && part.iter().any(|b| *b != b'0');
    let dashes = value.len() >= 55 && [2, 35, 52].iter().all(|at| value[*at] == b'-');
    dashes
        && hex(&value[..2])
        && value[..2] != *b"ff"
        && some(&value[3..35])
        && some(&value[36..52])
        && hex(&value[53..55])
        && (value.len() == 55 || (value[..2] != *b"00" && value[55] == b'-'))
}

/// Carries out a filter's changes: set, add, remove.
pub(crate) fn edit(headers: &mut HeaderMap, edit: &HeaderEdit) {
    for (name, value) in &edit.set {
        headers.insert(name.clone(), value.clone());
    }
    for (name, value) in &edit.add {
        headers.append(name.clone(), value.clone());
    }
    for name in &edit.remove {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &str) -> HeaderMap {
        lines
            .lines()
            .map(|line| line.trim().split_once(": ").unwrap())
            .map(|(name, value)| {
                (
                    name.parse::<HeaderName>().unwrap(),
                    value.parse::<HeaderValue>().unwrap(),
                )
            })
            .collect()
    }

    fn shown(headers: &HeaderMap) -> String {
        let mut lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines.join("\n")
    }

    fn asked(headers: &mut HeaderMap) -> Option<HeaderValue> {
        let noted = Noted::of(headers);
        request_hygiene(headers, noted)
    }

    #[test]
    fn hop_by_hop_headers_end_here() {
        let mut headers = map(
            "host: a\nconnection: keep-alive, X-Mine, close\nkeep-alive: timeout=5\nx-mine: 1\nte: gzip, trailers\n\
             transfer-encoding: chunked\nproxy-authorization: x\nproxy-connection: x\nexpect: 100-continue\nx-kept: 2\n\
             upgrade: h2c\nhttp2-settings: x",
        );
        assert_eq!(
            asked(&mut headers),
            None,
            "the connection did not name the upgrade"
        );
        assert_eq!(shown(&headers), "host: a\nte: trailers\nx-kept: 2");
    }

    #[test]
    fn what_frames_a_message_cannot_be_named_away() {
        let mut headers =
            map("host: a\ncontent-length: 5\nconnection: host, content-length, te\nte: gzip");
        asked(&mut headers);
        assert_eq!(shown(&headers), "content-length: 5\nhost: a");
    }

    #[test]
    fn an_upgrade_is_told_apart() {
        let mut headers = map("connection: Upgrade\nupgrade: websocket");
        assert_eq!(
            asked(&mut headers),
            Some(HeaderValue::from_static("websocket"))
        );
        assert!(headers.is_empty());
    }

    #[test]
    fn a_response_has_one_length() {
        let mut headers = map(
            "content-length: 5\ntransfer-encoding: chunked\nconnection: x-a\nx-a: 1\nserver: s",
        );
        assert_eq!(response_hygiene(&mut headers), None);
        assert_eq!(shown(&headers), "server: s");
    }

    #[test]
    fn a_stranger_is_not_believed_and_a_proxy_is() {
        let sent = "x-forwarded-for: 1.1.1.1\nx-forwarded-for: 2.2.2.2\nx-forwarded-proto: https\n\
                    x-forwarded-host: evil\nx-forwarded-port: 1\nforwarded: for=1.1.1.1\nx-real-ip: 1.1.1.1";
        let host = HeaderValue::from_static("shop");
        let address = "10.0.0.9:1234".parse().unwrap();
        let mut headers = map(sent);
        let peer = Peer::new(address, &[]);
        forward(&mut headers, Noted::of(&map(sent)), &peer, Some(&host));
        assert_eq!(
            shown(&headers),
            "x-forwarded-for: 10.0.0.9\nx-forwarded-host: shop\nx-forwarded-proto: http"
        );

        let mut headers = map(sent);
        let peer = Peer::new(address, &["10.0.0.0/8".parse().unwrap()]);
        forward(&mut headers, Noted::of(&map(sent)), &peer, Some(&host));
        assert_eq!(
            shown(&headers),
            "x-forwarded-for: 1.1.1.1, 2.2.2.2, 10.0.0.9\nx-forwarded-host: evil\nx-forwarded-port: 1\n\
             x-forwarded-proto: https"
        );
    }

    #[test]
    fn an_id_is_kept_if_it_is_of_use() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut headers = map("x-request-id: abc-1");
        assert_eq!(request_id(&mut headers, &mut random).as_bytes(), b"abc-1");
        for bad in ["", "a b", &"x".repeat(129)] {
            let mut headers =
                HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_str(bad).unwrap())]);
            let id = request_id(&mut headers, &mut random);
            assert_eq!(headers.get(X_REQUEST_ID), Some(&id.to_value()));
            let text = std::str::from_utf8(id.as_bytes()).unwrap();
            assert_eq!(
                (text.len(), &text[14..15], text.matches('-').count()),
                (36, "4", 4),
                "{text}"
            );
            assert!("89ab".contains(&text[19..20]), "{text}");
        }
    }

    #[test]
    fn an_invalid_trace_context_is_not_passed_on() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut headers = map(&format!("traceparent: {good}\ntracestate: a=b"));
        assert!(trace_context(&mut headers).is_some());
        assert_eq!(headers.len(), 2);
        for bad in [
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "x",
        ] {
            let mut headers = map(&format!("traceparent: {bad}\ntracestate: a=b"));
            assert_eq!(trace_context(&mut headers), None, "{bad}");
            assert!(headers.is_empty(), "{bad}");
        }
    }
}
