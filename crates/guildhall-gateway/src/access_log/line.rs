//! How a line of the access log looks.

use std::io::Write;

use guildhall_core::{document::Timestamp, route::Decision};

use crate::LogFormat;

/// What is logged of a request.
#[derive(Debug)]
pub(crate) struct LogLine<'a> {
    /// Milliseconds since the Unix epoch.
    pub(crate) start: u64,
    pub(crate) method: &'a str,
    /// The target as the client sent it.
    pub(crate) target: &'a str,
    pub(crate) version: http::Version,
    /// 0 if nothing was answered.
    pub(crate) status: u16,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    /// Microseconds from the request's head to the end of the answer.
    pub(crate) duration: u64,
    /// Microseconds from the request's head to the head of the backend's answer.
    pub(crate) upstream_duration: Option<u64>,
    pub(crate) remote: &'a [u8],
    pub(crate) user_agent: &'a [u8],
    pub(crate) request_id: &'a [u8],
    pub(crate) trace: &'a [u8],
    pub(crate) authority: &'a [u8],
    pub(crate) decision: Decision<'a>,
}

/// Appends `line`, with its line feed.
pub(crate) fn write_line(out: &mut Vec<u8>, line: &LogLine<'_>, format: LogFormat) {
    match format {
        LogFormat::Off => {}
        LogFormat::Text => text(out, line),
        LogFormat::Json => json(out, line),
    }
}

/// Writing to a vector does not fail.
macro_rules! put {
    ($out:expr, $($what:tt)*) => {
        drop(write!($out, $($what)*))
    };
}

fn text(out: &mut Vec<u8>, line: &LogLine<'_>) {
    put!(out, "[{}] \"{} ", Timestamp(line.start), line.method);
    escape(out, line.target.as_bytes());
    put!(
        out,
        " {:?}\" {} {} {} {} {}",
        line.version,
        line.status,
        line.decision.reason.code(),
        line.bytes_received,
        line.bytes_sent,
        Millis(line.duration),
    );
    match line.upstream_duration {
        Some(duration) => put!(out, " {}", Millis(duration)),
        None => put!(out, " -"),
    }
    for value in [
        line.remote,
        line.user_agent,
        line.request_id,
        line.authority,
    ] {
        out.extend_from_slice(b" \"");
        escape(out, if value.is_empty() { b"-" } else { value });
        out.push(b'"');
    }
    put!(out, " \"{}\"", line.decision.endpoint.unwrap_or("-"));
    match line.decision.rule {
        Some(rule) => put!(
            out,
            " {}/{}/{}",
            rule.route.namespace,
            rule.route.name,
            rule.label()
        ),
        None => put!(out, " -"),
    }
    out.push(b'\n');
}

fn json(out: &mut Vec<u8>, line: &LogLine<'_>) {
    put!(
        out,
        "{{\"start_time\":\"{}\",\"method\":\"{}\",\"path\":\"",
        Timestamp(line.start),
        line.method
    );
    escape(out, line.target.as_bytes());
    put!(
        out,
        "\",\"protocol\":\"{:?}\",\"response_code\":{},\"reason\":\"{}\",\"bytes_received\":{},\"bytes_sent\":{},\"duration\":{}",
        line.version,
        line.status,
        line.decision.reason.code(),
        line.bytes_received,
        line.bytes_sent,
        Millis(line.duration),
    );
    if let Some(duration) = line.upstream_duration {
        put!(out, ",\"upstream_duration\":{}", Millis(duration));
    }
    for (name, value) in [
        ("remote_address", line.remote),
        ("user_agent", line.user_agent),
        ("request_id", line.request_id),
        ("traceparent", line.trace),
        ("authority", line.authority),
    ] {
        if !value.is_empty() {
            put!(out, ",\"{name}\":\"");
            escape(out, value);
            out.push(b'"');
        }
    }
    let decision = &line.decision;
    if let Some(endpoint) = decision.endpoint {
        put!(out, ",\"upstream_host\":\"");
        escape(out, endpoint.as_bytes());
        out.push(b'"');
    }
    if let Some(rule) = decision.rule {
        put!(
            out,
            ",\"route\":\"{}/{}\",\"rule\":\"",
            rule.route.namespace,
            rule.route.name
        );
        escape(out, rule.label().to_string().as_bytes());
        put!(out, "\",\"revision\":{}", rule.route.revision);
    }
    if let Some(service) = decision.service {
        put!(
            out,
            ",\"service\":\"{service}\",\"service_revision\":{}",
            decision.service_revision
        );
    }
    if decision.attempts > 1 {
        put!(out, ",\"attempts\":{}", decision.attempts);
    }
    if let Some(detail) = decision.detail {
        put!(out, ",\"detail\":\"");
        escape(out, detail.as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b"}\n");
}

/// Microseconds shown as milliseconds with three decimals.
struct Millis(u64);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// Appends `value` as the inside of a JSON string. What a client sends must not be able to end a
/// line or a string; bytes that are not UTF-8 are shown as if they were Latin-1.
fn escape(out: &mut Vec<u8>, value: &[u8]) {
    let valid = value.is_ascii() || std::str::from_utf8(value).is_ok();
    let plain =
        |byte: u8| !matches!(byte, 0..=0x1f | 0x7f | b'"' | b'\\') && (valid || byte < 0x80);
    let mut rest = value;
    loop {
        let run = rest
            .iter()
            .position(|byte| !plain(*byte))
            .unwrap_or(rest.len());
        out.extend_from_slice(&rest[..run]);
        let Some(byte) = rest.get(run) else { return };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            other => put!(out, "\\u{:04x}", other),
        }
        rest = &rest[run + 1..];
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::route::Reason;

    use super::*;

    fn line<'a>() -> LogLine<'a> {
        LogLine {
            start: 1_795_445_161_123,
            method: "GET",
            target: "/a?b=\"c\"",
            version: http::Version::HTTP_11,
            status: 503,
            bytes_received: 1,
            bytes_sent: 2,
            duration: 3_004,
            upstream_duration: None,
            remote: b"10.0.0.9",
            user_agent: b"evil\n\"agent\"\xff",
            request_id: b"r-1",
            trace: b"",
            authority: b"shop.example.com",
            decision: Decision {
                service: Some("default/users"),
                service_revision: 7,
                ..Decision::new(Reason::NoHealthyEndpoint)
            },
        }
    }

    #[test]
    fn a_line_of_text_is_one_line() {
        let mut out = Vec::new();
        write_line(&mut out, &line(), LogFormat::Text);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "[2026-11-23T14:46:01.123Z] \"GET /a?b=\\\"c\\\" HTTP/1.1\" 503 no_healthy_endpoint 1 2 3.004 - \
             \"10.0.0.9\" \"evil\\u000a\\\"agent\\\"\\u00ff\" \"r-1\" \"shop.example.com\" \"-\" -\n"
        );
    }

    #[test]
    fn a_line_of_json_is_json_whatever_the_client_sends() {
        let mut out = Vec::new();
        write_line(&mut out, &line(), LogFormat::Json);
        let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            read,
            serde_json::json!({
                "start_time": "2026-11-23T14:46:01.123Z",
                "method": "GET",
                "path": "/a?b=\"c\"",
                "protocol": "HTTP/1.1",
                "response_code": 503,
                "reason": "no_healthy_endpoint",
                "bytes_received": 1,
                "bytes_sent": 2,
                "duration": 3.004,
                "remote_address": "10.0.0.9",
                "user_agent": "evil\n\"agent\"ÿ",
                "request_id": "r-1",
                "authority": "shop.example.com",
                "service": "default/users",
                "service_revision": 7,
            })
        );
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
    }

    #[test]
    fn a_writer_that_is_behind_makes_lines_drop() {
        let (batches, waiting) = sync_channel(1);
        let sender = super::super::LogSender {
            format: LogFormat::Text,
            batches,
        };
        let mut buffer = super::super::LogBuffer::default();
        let mut hand_over = || {
            buffer.add(&line(), &sender);
            buffer.add(&line(), &sender);
            buffer.hand_over(&sender)
        };
        assert_eq!(hand_over(), 0);
        assert_eq!(hand_over(), 2);
        assert_eq!(
            waiting
                .recv()
                .unwrap()
                .iter()
                .filter(|byte| **byte == b'\n')
                .count(),
            2
        );
    }

    use std::sync::mpsc::sync_channel;
}
