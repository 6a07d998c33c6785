//! Building answers: JSON, problems, the headers that go with them.

use bytes::Bytes;
use guildhall_api::wire::{Code, PROBLEM_JSON, Problem, header as names};
use guildhall_core::document::{Document, Index};
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::body::AnswerBody;
use super::problem::{Refusal, refuse};

/// What a handler answers.
pub(crate) type Answer = Response<AnswerBody>;

/// Most answers are shorter than this, in bytes.
const USUAL: usize = 1024;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// `bytes` of the type `content_type`.
pub(crate) fn bytes(content_type: HeaderValue, bytes: Bytes) -> Answer {
    let mut answer = Response::new(bytes.into());
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    answer
}

/// `bytes` that are JSON.
pub(crate) fn json_bytes(json: Bytes) -> Answer {
    bytes(JSON, json)
}

/// `value` as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<Answer, Refusal> {
    to_bytes(value).map(json_bytes)
}

/// `value` as JSON text.
pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Result<Bytes, Refusal> {
    let mut json = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut json, value).map_err(|error| {
        tracing::error!(%error, "an answer does not serialise");
        refuse(
            Code::Internal,
            "the answer could not be written; the server's log has the cause",
        )
    })?;
    Ok(json.into())
}

/// Text for people.
pub(crate) fn text(content_type: &'static str, text: impl Into<Bytes>) -> Answer {
    bytes(HeaderValue::from_static(content_type), text.into())
}

/// No content.
pub(crate) fn empty() -> Answer {
    let mut answer = Response::new(Bytes::new().into());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// A document with its ETag.
pub(crate) fn document(document: &Document) -> Result<Answer, Refusal> {
    let mut answer = json(document)?;
    set(
        &mut answer,
        header::ETAG,
        &names::etag(document.metadata().revision),
    );
    Ok(answer)
}

/// The problem as an answer.
pub(crate) fn problem(problem: &Problem) -> Answer {
    let mut answer = bytes(
        HeaderValue::from_static(PROBLEM_JSON),
        problem.to_json().into(),
    );
    *answer.status_mut() = problem.status_code();
    answer
}

/// Sets a header; a value that cannot stand in one is left out.
pub(crate) fn set(answer: &mut Answer, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// Sets `Guildhall-Index`.
pub(crate) fn set_index(answer: &mut Answer, index: Index) {
    set(answer, names::INDEX, &index.to_string());
}

/// Adds a `Guildhall-Warning` for each.
pub(crate) fn warn(answer: &mut Answer, warnings: &[String]) {
    for warning in warnings {
        if let Ok(value) = HeaderValue::from_str(warning) {
            answer.headers_mut().append(names::WARNING, value);
        }
    }
}
