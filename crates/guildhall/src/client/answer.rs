//! What another service answered.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde::{Serialize, de::DeserializeOwned};

use super::CallError;

/// What another service answered, whole. Any status is an answer; see [`Answer::success`].
#[derive(Clone, Debug)]
pub struct Answer {
    service: String,
    instance: String,
    response: Response<Bytes>,
    stand_in: Option<StandIn>,
}

/// What answered in a service's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StandIn {
    /// Its last good answer to the same request.
    Kept {
        /// How old that is.
        age: Duration,
    },
    /// Another service, by its name; one of another namespace as `namespace/name`.
    Service(String),
    /// The answer that the policy gives.
    Fixed,
    /// The closure of [`ServiceClient::with_fallback`](super::ServiceClient::with_fallback).
    Code,
}

impl StandIn {
    /// Its name in metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Kept { .. } => "kept",
            Self::Service(_) => "service",
            Self::Fixed => "fixed",
            Self::Code => "code",
        }
    }
}

impl Answer {
    pub(super) fn new(service: &str, instance: &str, response: Response<Bytes>) -> Self {
        Self {
            service: service.to_owned(),
            instance: instance.to_owned(),
            response,
            stand_in: None,
        }
    }

    /// An answer in the service's place, for the closure of
    /// [`ServiceClient::with_fallback`](super::ServiceClient::with_fallback).
    pub fn instead(response: Response<impl Into<Bytes>>) -> Self {
        Self {
            service: String::new(),
            instance: String::new(),
            response: response.map(Into::into),
            stand_in: Some(StandIn::Code),
        }
    }

    /// The same with 200 and a JSON body.
    ///
    /// # Errors
    /// [`CallError::Invalid`] if the value does not serialise.
    pub fn instead_json<T: Serialize + ?Sized>(value: &T) -> Result<Self, CallError> {
        let json = serde_json::to_vec(value).map_err(|error| CallError::Invalid {
            service: String::new(),
            cause: format!("the fallback's answer does not serialise: {error}"),
        })?;
        let mut response = Response::new(json);
        let kind = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        Ok(Self::instead(response))
    }

    /// The same answer, by what stands in for `service`.
    pub(super) fn standing_in(self, service: &str, stand_in: StandIn) -> Self {
        Self {
            service: service.to_owned(),
            stand_in: Some(stand_in),
            ..self
        }
    }

    /// What answered in the service's place; `None` if the service itself did.
    pub fn stand_in(&self) -> Option<&StandIn> {
        self.stand_in.as_ref()
    }

    pub(super) fn status_error(&self) -> CallError {
        CallError::Status {
            service: self.service.clone(),
            instance: self.instance.clone(),
            status: self.response.status(),
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

    pub(super) fn headers_mut(&mut self) -> &mut HeaderMap {
        self.response.headers_mut()
    }

    /// The id of the instance that answered; of a kept answer, the one that gave it then. Empty if none did.
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
        Err(self.status_error())
    }

    /// As http's type.
    pub fn into_response(self) -> Response<Bytes> {
        self.response
    }
}
