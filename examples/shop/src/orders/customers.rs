//! Whether a user exists: asked of user-service, over the network, wherever its instances are.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use guildhall::ServiceClient;
use http::StatusCode;

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Who knows the users.
pub trait Customers: Send + Sync {
    /// Whether there is a user with this id.
    fn exists<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<bool, CustomersError>>;
}

/// Why it could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum CustomersError {
    /// Nobody answered.
    #[error("user-service cannot be reached: {0}")]
    Unreachable(String),
    /// The answer was neither yes nor no.
    #[error("user-service answered {0}")]
    Answered(StatusCode),
}

/// user-service, found through the platform.
pub(super) struct UserService {
    client: ServiceClient,
}

impl UserService {
    pub(super) fn new(client: ServiceClient) -> Self {
        Self {
            client: client.with_timeout(TIMEOUT),
        }
    }

    async fn ask(&self, id: &str) -> Result<bool, CustomersError> {
        // An instance that has just died is still in everybody's list for a moment: the client asks another then.
        let answer = self.client.get(&format!("/users/{id}")).send().await;
        let answer = answer.map_err(|error| CustomersError::Unreachable(error.to_string()))?;
        match answer.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            other => Err(CustomersError::Answered(other)),
        }
    }
}

impl Customers for UserService {
    fn exists<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<bool, CustomersError>> {
        self.ask(id).boxed()
    }
}
