//! HTTP checks: a GET whose status, and perhaps body, says how the instance is.

use bytes::{Bytes, BytesMut};
use guildhall_core::registry::{Probe, StatusRange};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::{Connector, IDLE, Outcome, explain};

/// The most of a body that is read.
const MAX_BODY: usize = 64 * 1024;

/// The most of a body that goes into the output.
const SHOWN: usize = 3 * 1024;

pub(super) type Client<C> = legacy::Client<C, Empty<Bytes>>;

pub(super) fn client<C: Connector>(connector: C) -> Client<C> {
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(1)
        .build(connector)
}

pub(super) async fn probe<C: Connector>(client: &Client<C>, base: &str, probe: &Probe) -> Outcome {
    let Probe::Http {
        path,
        headers,
        expected_status,
        expected_body,
        ..
    } = probe
    else {
        return Outcome::critical("not an http check");
    };
    let mut request = Request::get(format!("{base}{path}"))
        .header(header::USER_AGENT, "guildhall-check")
        .header(header::ACCEPT, "*/*");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = match request.body(Empty::new()) {
        Ok(request) => request,
        Err(error) => {
            return Outcome::critical(format!(
                "the check's path or headers are not valid: {error}"
            ));
        }
    };
    let response = match client.request(request).await {
        Ok(response) => response,
        Err(error) => return Outcome::critical(explain(&error)),
    };
    let status = response.status();
    let body = match read(response).await {
        Ok(body) => body,
        Err(error) => {
            return Outcome::critical(format!(
                "{status}, then the body broke off: {}",
                explain(&error)
            ));
        }
    };
    judge(status, &body, expected_status, expected_body.as_deref())
}

/// The first [`MAX_BODY`] bytes. What is longer is left unread, and its connection is closed.
async fn read(response: Response<Incoming>) -> Result<Bytes, hyper::Error> {
    let mut body = response.into_body();
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            let left = MAX_BODY - read.len();
            read.extend_from_slice(&data[..data.len().min(left)]);
            if data.len() >= left {
                break;
            }
        }
    }
    Ok(read.freeze())
}

fn judge(
    status: StatusCode,
    body: &[u8],
    expected: &[StatusRange],
    contains: Option<&str>,
) -> Outcome {
    let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]);
    let output = if text.is_empty() {
        status.to_string()
    } else {
        format!("{status}: {text}")
    };
    let code = status.as_u16();
    let passes = match expected {
        [] => status.is_success(),
        ranges => ranges
            .iter()
            .any(|range| (range.first..=range.last).contains(&code)),
    };
    if !passes {
        return match (expected, status) {
            ([], StatusCode::TOO_MANY_REQUESTS) => Outcome::warning(output),
            _ => Outcome::critical(output),
        };
    }
    match contains {
        Some(wanted) if !holds(body, wanted.as_bytes()) => {
            Outcome::critical(format!("the body does not contain {wanted:?}; {output}"))
        }
        _ => Outcome::passing(output),
    }
}

fn holds(body: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || body.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use guildhall_core::registry::health::CheckOutcome;

    use super::*;

    fn check(status: u16, expected: &[StatusRange], contains: Option<&str>, expect: CheckOutcome) {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(
            judge(status, b"all is well", expected, contains).outcome,
            expect,
            "{status}"
        );
    }

    #[test]
    fn status_and_body_decide() {
        let range = |first, last| StatusRange { first, last };
        check(200, &[], None, CheckOutcome::Passing);
        check(204, &[], Some("well"), CheckOutcome::Passing);
        check(429, &[], None, CheckOutcome::Warning);
        check(301, &[], None, CheckOutcome::Critical);
        check(500, &[], None, CheckOutcome::Critical);
        check(200, &[], Some("ill"), CheckOutcome::Critical);
        check(
            301,
            &[range(200, 200), range(300, 302)],
            None,
            CheckOutcome::Passing,
        );
        check(204, &[range(200, 200)], None, CheckOutcome::Critical);
        check(429, &[range(200, 200)], None, CheckOutcome::Critical);
    }
}
