//! One call, before it is sent.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use serde::Serialize;

use super::{Answer, CallError, ServiceClient};

/// One call, before it is sent. What is wrong with it is told by [`Call::send`].
#[derive(Debug)]
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    client: ServiceClient,
    request: Result<Request<Bytes>, String>,
}

impl Call {
    pub(super) fn new(client: ServiceClient, method: Method, path: &str) -> Self {
        let request = match path.starts_with('/') {
            true => Request::builder()
                .method(method)
                .uri(path)
                .body(Bytes::new())
                .map_err(|error| error.to_string()),
            false => Err(format!("the path {path:?} must begin with a slash")),
        };
        Self { client, request }
    }

    /// Sets a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let parsed = HeaderName::try_from(name)
            .ok()
            .zip(HeaderValue::try_from(value).ok());
        self.request = self.request.and_then(|mut request| {
            let (name, value) =
                parsed.ok_or_else(|| format!("{name:?} is no header, or its value is none"))?;
            request.headers_mut().insert(name, value);
            Ok(request)
        });
        self
    }

    /// Sets the body, with its content type.
    pub fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.request = self.request.map(|mut request| {
            request
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            request.map(|_| body)
        });
        self
    }

    /// Sets the body to `value` as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => self.body("application/json", json),
            Err(error) => {
                self.request = self
                    .request
                    .and(Err(format!("the body does not serialise: {error}")));
                self
            }
        }
    }

    /// How long this call may take, all attempts together, instead of the client's timeout.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.client.timeout = Some(timeout);
        self
    }

    /// Makes the call, in as many attempts as the service's policies allow.
    pub async fn send(self) -> Result<Answer, CallError> {
        let service = self.client.service().to_owned();
        let request = self
            .request
            .map_err(|cause| CallError::Invalid { service, cause })?;
        self.client.request(request).await
    }
}
