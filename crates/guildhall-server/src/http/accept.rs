//! Reading request bodies: bounded, JSON or YAML by `Content-Type`.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use guildhall_api::wire::Code;
use guildhall_core::document::{Body, Problems, decode};
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::{Refusal, invalid, refuse};

/// Reads all of `body`: at most `limit` bytes, within `patience`.
pub(crate) async fn whole(
    body: Incoming,
    limit: u64,
    patience: Duration,
) -> Result<Bytes, Refusal> {
    let too_large = || {
        refuse(
            Code::BodyTooLarge,
            format!("the body has more than {limit} bytes; the setting is api.max_body"),
        )
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let collected = timeout(patience, Limited::new(body, limit).collect());
    let Ok(collected) = collected.await else {
        return Err(refuse(
            Code::BadRequest,
            format!(
                "the body did not arrive within {patience:?}; the setting is api.header_timeout"
            ),
        ));
    };
    match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(refuse(
            Code::BadRequest,
            format!("the body broke off: {error}"),
        )),
    }
}

/// The body as JSON text, whatever it was written in.
pub(crate) fn json_text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, str>, Refusal> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .map_or("", |value| value.to_str().unwrap_or("?"));
    let essence = given
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let text =
        std::str::from_utf8(body).map_err(|_| refuse(Code::BadRequest, "the body is not UTF-8"))?;
    match essence.as_str() {
        // curl -d calls everything a form; browsers that do so from another page are turned away by their Origin.
        "" | "application/json" | "application/x-www-form-urlencoded" => Ok(Cow::Borrowed(text)),
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => {
            yaml(text).map(Cow::Owned)
        }
        word if word.starts_with("application/") && word.ends_with("+json") => {
            Ok(Cow::Borrowed(text))
        }
        other => Err(refuse(
            Code::UnsupportedMediaType,
            format!("{other:?} is not read here; send application/json or application/yaml"),
        )),
    }
}

/// How deep documents may nest: as deep as serde_json reads them.
const DEPTH: usize = 128;

fn yaml(text: &str) -> Result<String, Refusal> {
    if nesting(text) > DEPTH {
        return Err(refuse(
            Code::BadRequest,
            format!(
                "the body nests brackets more than {DEPTH} deep; write it flatter, or as application/json"
            ),
        ));
    }
    let value: serde_json::Value = yaml_serde::from_str(text)
        .map_err(|error| refuse(Code::BadRequest, format!("the body is not YAML: {error}")))?;
    Ok(value.to_string())
}

/// How deep `[` and `{` stand in each other, wherever they stand. The YAML scanner looks at every open bracket again for
/// each token, before anything checks the depth: 250 kB of them kept a core busy for half a minute.
fn nesting(text: &str) -> usize {
    let mut deepest = 0;
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The body as a document whose spec is still text.
pub(crate) fn document(headers: &HeaderMap, body: &[u8]) -> Result<Body, Refusal> {
    let json = json_text(headers, body)?;
    Body::parse(&json).map_err(|problems| refused(&json, problems))
}

/// The body as a `T`, refusing unknown fields.
pub(crate) fn typed<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    let json = json_text(headers, body)?;
    decode(&json, "").map_err(|problems| refused(&json, problems))
}

/// Tells text that is not JSON at all from a document that is not valid. Only what was refused is looked at again.
fn refused(json: &str, problems: Problems) -> Refusal {
    match serde_json::from_str::<&serde_json::value::RawValue>(json) {
        Ok(_) => invalid(problems),
        Err(_) if json.trim().is_empty() => {
            refuse(Code::BadRequest, "the body is empty; send a JSON object")
        }
        Err(error) => refuse(Code::BadRequest, format!("the body is not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/yaml"),
        );
        json_text(&headers, text.as_bytes())
            .map(Cow::into_owned)
            .map_err(|refusal| refusal.detail.clone())
    }

    #[test]
    fn brackets_without_end_are_refused_before_they_are_scanned() {
        let nested = |depth: usize| format!("a: {}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(100)).is_ok());
        assert!(read("a: [{b: '['}]").is_ok());
        // Scanning these would take minutes.
        for body in [
            "[".repeat(1 << 20),
            "{a: ".repeat(1 << 18),
            nested(DEPTH + 1),
        ] {
            let detail = read(&body).unwrap_err();
            assert!(detail.contains("128 deep"), "{detail}");
        }
    }
}
