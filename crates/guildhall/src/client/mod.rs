//! Calls to other services, by name.
//!
//! ```text
//! Call ─▶ ServiceClient ─▶ Target ─ rate limits, deadline ─▶ Chain ─▶ Attempt ─ Balancing ─▶ Transport ─▶ an instance
//!                            ▲                                 │
//!                            └── Way: the policies in force ───┘   (crate::policy)
//! ```
//!
//! - [`call`], [`answer`], [`error`]: what an author sees.
//! - [`target`]: one service that is called; what holds for calls of it.
//! - [`chain`]: the layers around an attempt, in their order.
//! - [`attempt`], [`balance`], [`transport`]: which instance, and the exchange with it.
//! - [`outgoing`], [`failure`], [`rules`], [`key`]: a call, how it fails, and what layers have to know of both.
//! - [`fallback`]: what answers in a service's place.

mod answer;
mod attempt;
mod balance;
mod call;
mod chain;
mod error;
mod exact;
mod failure;
mod fallback;
#[cfg(feature = "grpc")]
mod grpc;
mod key;
mod outgoing;
mod rules;
mod target;
mod transport;

use std::{sync::Arc, time::Duration};

pub use answer::{Answer, StandIn};
pub(crate) use balance::tell;
use bytes::Bytes;
pub use call::Call;
pub use error::CallError;
pub(crate) use fallback::AnswerKey;
use futures_util::{FutureExt, future::BoxFuture};
#[cfg(feature = "grpc")]
pub(crate) use grpc::Connections;
#[cfg(feature = "grpc")]
pub use grpc::GrpcChannel;
use guildhall_resilience::{fallback::Cause, retry::FailureClass};
use http::{Method, Request};
pub(crate) use target::Target;
pub(crate) use transport::Transport;

/// How long a call may take if neither it nor a policy says.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

type Closure = dyn Fn(CallError) -> BoxFuture<'static, Option<Answer>> + Send + Sync;

/// Calls one service by its name; clones are cheap and share connections.
///
/// Each call goes to one of the healthy instances, the less busy of two drawn at random, and
/// carries `X-Request-ID`, `X-Service-ID` and the trace context of the request that is being
/// answered. Which instances there are is known locally, also while the platform is away.
///
/// # What stands around a call
///
/// The service's policies, from outside: rate limit → deadline → fallback → bulkhead → retry, hedge → per attempt
/// [breaker → adaptive limit → an instance not tried yet → attempt timeout]. They are followed as they change, within a
/// second, and no count or window is lost by that. Their reference is docs/reference/policies.md.
///
/// Where no policy says otherwise:
///
/// | | | from |
/// |---|---|---|
/// | time for a call | [`DEFAULT_TIMEOUT`], less if the caller of the request being answered waits less | the SDK |
/// | `retry` | on: 2 retries, to other instances, of what may be done twice; a fifth of all calls, and 10 a second | `RetryPolicy`, `BudgetConfig` of guildhall-resilience |
/// | `circuitBreaker` | on: opens when half of 20 or more calls of the last 10 s failed; for 5 s, doubling to 60 s | its `breaker::Config` |
/// | `outlierDetection` | on: an instance is left out after 5 failures in a row, for 30 s and more | its `outlier::Config`, as Envoy's |
/// | all else | off | |
///
/// A policy's `enabled: false` takes a section's default away; [`Service::call_defaults`](crate::Service::call_defaults)
/// sets others in code.
///
/// A call that a rule turns away ends with [`CallError::Rejected`], which names the rule's policy and its revision, and
/// when to come back.
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
    target: Arc<Target>,
    timeout: Option<Duration>,
    fallback: Option<Arc<Closure>>,
}

impl ServiceClient {
    pub(crate) fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            timeout: None,
            fallback: None,
        }
    }

    /// The same client, whose calls may take as long as `timeout`, all attempts together: finding an instance,
    /// connecting, and reading the whole answer. A policy's shorter limit holds all the same.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same client, whose calls are answered by `fallback` when the service cannot: it was not reached, failed
    /// (5xx, as [`CallError::Status`]), took too long, or a rule turned the call away. It stands outermost, behind
    /// whatever fallback a policy has. `None` hands on what happened.
    ///
    /// A wrong call, and one that was answered with another 4xx than 429, is never stood in for.
    ///
    /// ```
    /// use guildhall::{Answer, CallError, Service};
    ///
    /// let service = Service::new("order-service", "1.0.0");
    /// let users = service.client("user-service").with_fallback(|failed: CallError| async move {
    ///     tracing::warn!(%failed, "going on with a nameless user");
    ///     Answer::instead_json(&serde_json::json!({"name": "somebody"})).ok()
    /// });
    /// # let _ = users;
    /// ```
    pub fn with_fallback<F, Fut>(mut self, fallback: F) -> Self
    where
        F: Fn(CallError) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<Answer>> + Send + 'static,
    {
        self.fallback = Some(Arc::new(move |failed| fallback(failed).boxed()));
        self
    }

    /// The service that is called.
    pub fn service(&self) -> &str {
        self.target.service()
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
        let result = self.target.send(request, self.timeout).await;
        let Some(fallback) = &self.fallback else {
            return result;
        };
        let failed = match &result {
            Ok(answer) => FailureClass::of_status(answer.status().as_u16())
                .map(|class| (class, answer.status_error())),
            Err(error) => Some((error.class(), error.clone())),
        };
        let Some((class, failed)) = failed else {
            return result;
        };
        if Cause::of(class).is_final() {
            return result;
        }
        match fallback(failed).await {
            Some(answer) => {
                let answer = answer.standing_in(self.service(), StandIn::Code);
                self.target.meter.stood_in(&StandIn::Code);
                Ok(answer)
            }
            None => result,
        }
    }
}

impl std::fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceClient")
            .field("service", &self.service())
            .finish_non_exhaustive()
    }
}
