//! What another service answered.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde::de::DeserializeOwned;

use super::CallError;

/// What another service answered, whole. Any status is an answer; see [`Answer::success`].
#[derive(Clone, Debug)]
pub struct Answer {
    service: String,
    instance: String,
    response: Response<Bytes>,
}

impl Answer {
    pub(super) fn new(service: &str, instance: &str, response: Response<Bytes>) -> Self {
        Self {
            service: service.to_owned(),
            instance: instance.to_owned(),
            response,
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The id of the instance that answered.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        self.response.body()
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.response.body())
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(self.response.body()).map_err(|error| CallError::Unreadable {
            service: self.service.clone(),
            instance: self.instance.clone(),
            cause: error.to_string(),
        })
    }

    /// The answer if its status is 2xx, else an error with the status.
    pub fn success(self) -> Result<Self, CallError> {
        if self.status().is_success() {
            return Ok(self);
        }
        Err(CallError::Status {
            service: self.service,
            instance: self.instance,
            status: self.response.status(),
        })
    }

    /// As http's type.
    pub fn into_response(self) -> Response<Bytes> {
        self.response
    }
}
