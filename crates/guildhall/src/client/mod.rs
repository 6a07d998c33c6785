//! Calls to other services, by name.

mod answer;
mod call;
mod error;
mod transport;

use std::{sync::Arc, time::Duration};

pub use answer::Answer;
use bytes::Bytes;
pub use call::Call;
pub use error::CallError;
use http::{Method, Request};
pub(crate) use transport::Transport;

use crate::discovery::{Directory, Discovery};

/// How long a call may take if it does not say.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Calls one service by its name; clones are cheap and share connections.
///
/// Each call goes to one of the healthy instances, the less busy of two drawn at random, and
/// carries `X-Request-ID`, `X-Service-ID` and the trace context of the request that is being
/// answered. Which instances there are is known locally, also while the platform is away.
///
/// A call is made once: an error says whether it may be made again.
///
/// ```no_run
/// # async fn run(service: guildhall::Service) -> Result<(), guildhall::CallError> {
/// let users = service.client("user-service");
/// let answer = users.get("/users/1").send().await?;
/// if answer.status() == http::StatusCode::NOT_FOUND {
///     println!("no such user");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ServiceClient {
    directory: Arc<Directory>,
    transport: Arc<Transport>,
    timeout: Duration,
}

impl ServiceClient {
    pub(crate) fn new(discovery: &Discovery, transport: &Arc<Transport>, service: &str) -> Self {
        Self {
            directory: discovery.directory(service),
            transport: transport.clone(),
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// The same client, whose calls may take as long as `timeout`: finding an instance, connecting,
    /// and reading the whole answer.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The service that is called.
    pub fn service(&self) -> &str {
        self.directory.service()
    }

    /// GET.
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// POST.
    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    /// PUT.
    pub fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    /// PATCH.
    pub fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path)
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// Any method. `path` begins with a slash and may have a query; names in it must be
    /// percent-encoded.
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(self.clone(), method, path)
    }

    /// Sends a whole request. Its URI is a path and a query; where it goes is this client's to say.
    pub async fn request(&self, request: Request<Bytes>) -> Result<Answer, CallError> {
        self.transport
            .send(&self.directory, request, self.timeout)
            .await
    }
}

impl std::fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceClient")
            .field("service", &self.service())
            .finish_non_exhaustive()
    }
}
