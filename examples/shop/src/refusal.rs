//! What a client is told when it does not get what it asked for: a status and `{"error": "…"}`.

use std::{fmt::Display, io};

use axum::{
    Json,
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

/// A refusal: its status and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    error: String,
}

#[derive(Serialize)]
struct Body {
    error: String,
}

impl Refusal {
    /// 400: the request cannot be carried out as it is.
    pub fn bad_request(error: impl Display) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error: error.to_string(),
        }
    }

    /// 404: there is no such thing.
    pub fn not_found(error: impl Display) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            error: error.to_string(),
        }
    }

    /// 503: somebody whom this service needs is away; the same request may succeed in a moment.
    pub fn unavailable(error: impl Display) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: error.to_string(),
        }
    }

    /// 500: this service's own fault. The cause goes to the log, not to the client.
    pub fn internal(cause: impl Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: "the service failed; its log has the cause under this request's id".to_owned(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Body { error: self.error })).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// A JSON body that is what is asked for, or a refusal in the shop's own form.
pub(crate) struct Payload<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Payload<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match Json::from_request(request, state).await {
            Ok(Json(payload)) => Ok(Self(payload)),
            // What does not fit the type is the client's fault like any other: 400, not axum's 422.
            Err(rejection) if rejection.status() == StatusCode::UNPROCESSABLE_ENTITY => {
                Err(Refusal::bad_request(rejection.body_text()))
            }
            Err(rejection) => Err(Refusal {
                status: rejection.status(),
                error: rejection.body_text(),
            }),
        }
    }
}

/// Runs work on the service's file where it may wait for the disk.
pub(crate) async fn on_disk<T, W>(work: W) -> Result<T, Refusal>
where
    T: Send + 'static,
    W: FnOnce() -> io::Result<T> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Refusal::internal(error)),
        Err(error) => Err(Refusal::internal(error)),
    }
}
