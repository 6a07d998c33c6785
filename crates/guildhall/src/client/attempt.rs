//! One attempt: an endpoint that was not tried yet, the request sent there, the whole answer.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use fastrand::Rng;
use futures_util::{FutureExt, future::BoxFuture};
use guildhall_core::policy::{compile::BalanceRule, guard::Way};
use guildhall_resilience::{Pattern, Rejection, outlier::Observed, tower::deadline::Expired};
use tower::Service;

use super::{
    Answer, CallError, Transport, balance::Balancing, failure::Failure, key, outgoing::Outgoing,
    rules,
};
use crate::{
    clock,
    discovery::{Directory, Endpoints, Fleet, Known},
    policy::Sdk,
};

/// What all layers stand around: sends a call to one endpoint.
///
/// It bounds the attempt itself, in place of a layer: an endpoint that does not answer in time has failed, and only
/// here is it known which that is.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(super) directory: Arc<Directory>,
    pub(super) transport: Arc<Transport>,
    pub(super) balancing: Arc<Balancing>,
    pub(super) way: Arc<Way<Sdk>>,
    /// How long it may take.
    pub(super) limit: Option<Duration>,
}

impl Service<Outgoing> for Attempt {
    type Response = Answer;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Answer, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, outgoing: Outgoing) -> Self::Future {
        self.clone().make(outgoing).boxed()
    }
}

impl Attempt {
    async fn make(self, mut outgoing: Outgoing) -> Result<Answer, Failure> {
        let now = clock::now();
        if outgoing.deadline.is_over(now) {
            let by = Pattern::Deadline;
            return Err(Rejection {
                by,
                retry_after: None,
            }
            .into());
        }
        let endpoints = self.fleet(outgoing.patience)?.http;
        let random = &mut Rng::new();
        let hash = |rule: &BalanceRule| {
            key::hash(
                &rule.hash_on,
                outgoing.request.headers(),
                outgoing.request.uri(),
            )
        };
        let picked = self
            .balancing
            .pick(&endpoints, &outgoing.tried, hash, random, now)
            .ok_or_else(|| self.none(&endpoints, "http"))?;
        let limit = outgoing.deadline.for_attempt(self.limit, now);
        if limit.at().is_some() {
            rules::tell_deadline(&mut outgoing, limit.timeout(now));
        }
        let sent =
            self.transport
                .exchange(outgoing.request, &picked.endpoint, self.directory.service());
        let result = match limit.at() {
            Some(at) => match tokio::time::timeout_at(at.into(), sent).await {
                Ok(answered) => answered.map_err(Failure::Call),
                Err(_) => Err(Failure::Expired(Expired {
                    expiry: limit.expiry(),
                })),
            },
            None => sent.await.map_err(Failure::Call),
        };
        let outcome = self.way.enforced.outcome(rules::ended(result.as_ref()));
        let status = result.as_ref().ok().map(|answer| answer.status().as_u16());
        let observed = Observed::new(outcome, status);
        picked.end(self.directory.service(), observed, clock::now());
        result
    }

    pub(super) fn fleet(&self, waited: Duration) -> Result<Fleet, CallError> {
        let service = self.directory.service().to_owned();
        match self.directory.present() {
            Known::Fleet(fleet) => Ok(fleet),
            Known::NotStarted => Err(CallError::NotStarted { service }),
            Known::Off => Err(CallError::NoPlatform { service }),
            Known::Waiting => Err(CallError::Unresolved { service, waited }),
        }
    }

    pub(super) fn none(&self, endpoints: &Endpoints, protocol: &str) -> CallError {
        let reason = match (endpoints.registered, endpoints.without_port) {
            (0, _) => "none is registered".to_owned(),
            (count, 0) => format!("none of its {count} registered instances is healthy"),
            (_, count) => {
                format!("{count} healthy instances have no port with protocol {protocol}")
            }
        };
        CallError::NoInstance {
            service: self.directory.service().to_owned(),
            reason,
        }
    }
}
