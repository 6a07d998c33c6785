//! Reading request bodies: bounded, JSON or YAML by `Content-Type`.

use std::borrow::Cow;

use bytes::Bytes;
use guildhall_api::wire::Code;
use guildhall_core::document::{Body, Problems, decode};
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::problem::{Refusal, invalid, refuse};

/// Reads all of `body`, at most `limit` bytes.
pub(crate) async fn whole(body: Incoming, limit: u64) -> Result<Bytes, Refusal> {
    let too_large = || {
        refuse(
            Code::BodyTooLarge,
            format!("the body has more than {limit} bytes; the setting is api.max_body"),
        )
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match Limited::new(body, limit).collect().await {
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

fn yaml(text: &str) -> Result<String, Refusal> {
    let value: serde_json::Value = yaml_serde::from_str(text)
        .map_err(|error| refuse(Code::BadRequest, format!("the body is not YAML: {error}")))?;
    Ok(value.to_string())
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
