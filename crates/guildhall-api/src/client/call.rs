//! One call before it is sent.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Serialize;

use super::ClientError;
use crate::wire::path::QueryString;

/// One call before it is sent.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: QueryString,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// On top of the client's timeout: what a long poll waits.
    pub(super) wait: Duration,
    /// Whether doing it twice is the same as doing it once.
    pub(super) repeatable: bool,
}

impl Call {
    fn new(method: Method, path: String, repeatable: bool) -> Self {
        Self {
            method,
            path,
            query: QueryString::default(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            wait: Duration::ZERO,
            repeatable,
        }
    }

    pub(super) fn get(path: String) -> Self {
        Self::new(Method::GET, path, true)
    }

    pub(super) fn put(path: String) -> Self {
        Self::new(Method::PUT, path, true)
    }

    pub(super) fn delete(path: String) -> Self {
        Self::new(Method::DELETE, path, true)
    }

    pub(super) fn post(path: String) -> Self {
        Self::new(Method::POST, path, false)
    }

    pub(super) fn query(mut self, query: QueryString) -> Self {
        self.query = query;
        self
    }

    pub(super) fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Result<Self, ClientError> {
        let value = HeaderValue::try_from(value);
        let value = value.map_err(|_| {
            ClientError::Unsendable(format!("{name} has a value that no header takes"))
        })?;
        self.headers.insert(name, value);
        Ok(self)
    }

    pub(super) fn json(self, body: &impl Serialize) -> Result<Self, ClientError> {
        let body =
            serde_json::to_vec(body).map_err(|error| ClientError::Unsendable(error.to_string()))?;
        Ok(self.json_text(body.into()))
    }

    pub(super) fn json_text(mut self, body: Bytes) -> Self {
        self.headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        self.body = body;
        self
    }
}
