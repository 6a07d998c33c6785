//! gRPC checks: `grpc.health.v1.Health/Check` (the gRPC health checking protocol).
//!
//! One request and one answer of a field each: written here by hand over hyper's HTTP/2, which
//! also keeps the connection, rather than through generated code and a channel per target.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::{Connector, IDLE, Outcome, explain};

/// The most of an answer that is read.
const MAX_BODY: usize = 64 * 1024;

pub(super) type Client<C> = legacy::Client<C, Full<Bytes>>;

pub(super) fn client<C: Connector>(connector: C) -> Client<C> {
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .http2_only(true)
        .build(connector)
}

pub(super) async fn probe<C: Connector>(client: &Client<C>, base: &str, service: &str) -> Outcome {
    let request = Request::post(format!("{base}/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, "guildhall-check")
        .body(Full::new(question(service)));
    let request = match request {
        Ok(request) => request,
        Err(error) => {
            return Outcome::critical(format!("the instance's host is not valid: {error}"));
        }
    };
    let response = match client.request(request).await {
        Ok(response) => response,
        Err(error) => return Outcome::critical(explain(&error)),
    };
    let (parts, body) = response.into_parts();
    if !parts.status.is_success() {
        return Outcome::critical(format!("{}: not a gRPC answer", parts.status));
    }
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body,
        Err(error) => return Outcome::critical(format!("the answer broke off: {error}")),
    };
    let trailers = body.trailers().cloned().unwrap_or_default();
    let status = grpc_status(&trailers).or_else(|| grpc_status(&parts.headers));
    match status {
        Some((0, _)) => judge(serving_status(&body.to_bytes())),
        Some((5, _)) => {
            Outcome::critical(format!("the server does not know the service {service:?}"))
        }
        Some((12, _)) => Outcome::critical("the server does not implement grpc.health.v1.Health"),
        Some((code, message)) => Outcome::critical(format!("gRPC status {code}: {message}")),
        None => Outcome::critical("the answer has no gRPC status"),
    }
}

/// A `HealthCheckRequest {service}` in a gRPC frame.
fn question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        // Field 1, a string: its length as a varint, then its bytes.
        message.put_u8(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            message.put_u8((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        message.put_u8(length as u8);
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(&message);
    frame.freeze()
}

/// `HealthCheckResponse.status` in a gRPC frame; 0 if the field is not there, `None` if the frame
/// is not one.
fn serving_status(frame: &[u8]) -> Option<u64> {
    let (head, rest) = frame.split_first_chunk::<5>()?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let mut message = rest.get(..length).filter(|_| head[0] == 0)?;
    let mut status = 0;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match tag & 7 {
            0 => {
                let value = varint(&mut message)?;
                if tag >> 3 == 1 {
                    status = value;
                }
            }
            1 => message = message.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            5 => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn grpc_status(headers: &HeaderMap) -> Option<(u32, String)> {
    let code = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    let message = headers
        .get("grpc-message")
        .and_then(|message| message.to_str().ok());
    Some((code, message.unwrap_or_default().to_owned()))
}

fn judge(status: Option<u64>) -> Outcome {
    match status {
        Some(1) => Outcome::passing("SERVING"),
        Some(0) => Outcome::critical("UNKNOWN"),
        Some(2) => Outcome::critical("NOT_SERVING"),
        Some(3) => Outcome::critical("SERVICE_UNKNOWN"),
        Some(other) => Outcome::critical(format!("serving status {other}")),
        None => Outcome::critical("the answer is not a HealthCheckResponse"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_one_frame_with_the_services_name() {
        assert_eq!(&question("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&question("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = question(&"x".repeat(300));
        assert_eq!(&long[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 0x02]);
    }

    #[test]
    fn an_answer_is_read_and_nonsense_is_not() {
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 0x08, 1]), Some(1));
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), Some(0));
        // An unknown field before it: number 2, a string.
        assert_eq!(
            serving_status(&[0, 0, 0, 0, 5, 0x12, 1, b'x', 0x08, 2]),
            Some(2)
        );
        for bad in [
            &[][..],
            &[0, 0, 0, 0, 9, 0x08, 1],
            &[1, 0, 0, 0, 2, 0x08, 1],
            &[0, 0, 0, 0, 1, 0x08],
        ] {
            assert_eq!(serving_status(bad), None, "{bad:?}");
        }
    }
}
