//! One attempt: leave by breaker and adaptive limit, an endpoint that was not tried yet, the call sent there, the head of
//! the answer.

use std::task::{Context, Poll};

use fastrand::Rng;
use futures_util::{FutureExt, future::BoxFuture};
use guildhall_core::policy::{compile::BalanceRule, guard::Ended};
use guildhall_resilience::{Pattern, Rejection, adaptive::Adaptive, tower::deadline::Expired};
use tower::Service;

use super::{
    answer::{self, GrpcAnswer, Hold, Permits},
    call::GrpcCall,
    connections::SendError,
};
use crate::{
    client::{CallError, attempt::Attempt, failure::Failure, key, rules::CallJudge},
    clock,
};

/// What all layers stand around. Breaker and adaptive limit are asked here and not by layers of theirs: what they give is
/// held until the answer's stream ends.
#[derive(Clone)]
pub(super) struct GrpcAttempt {
    pub(super) base: Attempt,
    pub(super) judge: CallJudge,
}

impl Service<GrpcCall> for GrpcAttempt {
    type Response = GrpcAnswer;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<GrpcAnswer, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: GrpcCall) -> Self::Future {
        self.clone().make(call).boxed()
    }
}

impl GrpcAttempt {
    /// What the other side has certainly not looked at is sent once more, to another instance if there is one, whatever
    /// policies say of retries: nothing was asked of anybody (gRPC's A6, "transparent retries").
    async fn make(self, call: GrpcCall) -> Result<GrpcAnswer, Failure> {
        let spare = call.again();
        match (self.clone().send(call).await, spare) {
            (Err(Failure::Call(CallError::Refused { .. })), Some(spare)) => self.send(spare).await,
            (result, _) => result,
        }
    }

    async fn send(self, mut call: GrpcCall) -> Result<GrpcAnswer, Failure> {
        let Self { base, judge } = self;
        let permits = admit(&judge)?;
        let began = clock::now();
        if call.deadline.is_over(began) {
            return Err(Failure::Rejected(Rejection {
                by: Pattern::Deadline,
                retry_after: None,
            }));
        }
        let endpoints = base.fleet(call.patience)?.grpc;
        let hash =
            |rule: &BalanceRule| key::hash(&rule.hash_on, call.head.headers(), call.head.uri());
        let picked = base
            .balancing
            .pick(&endpoints, &call.tried, hash, &mut Rng::new(), began)
            .ok_or_else(|| base.none(&endpoints, "grpc or h2c"))?;
        let limit = call.deadline.for_attempt(base.limit, began);
        call.tell_deadline(began);

        let service = || base.directory.service().to_owned();
        let endpoint = picked.endpoint.clone();
        let deadline = call.whole;
        let request =
            call.into_request(&endpoint.authority)
                .map_err(|error| CallError::Invalid {
                    service: service(),
                    cause: error.to_string(),
                })?;
        let mut hold = Hold {
            picked,
            permits,
            judge,
            began,
            answered: None,
            deadline,
        };
        let dial = base.transport.dial();
        let sent = endpoint
            .connections
            .send(dial, &endpoint.authority, request);
        let result = match limit.at() {
            Some(at) => tokio::time::timeout_at(at.into(), sent).await,
            None => Ok(sent.await),
        };
        let now = clock::now();
        let failure = match result {
            Ok(Ok((response, lease))) => {
                let ended = answer::ended(&response);
                hold.answered = Some(now);
                let hold = match ended {
                    Some(ended) => {
                        hold.end(ended, now);
                        None
                    }
                    None => Some(hold),
                };
                return Ok(GrpcAnswer {
                    response,
                    ended,
                    hold,
                    place: None,
                    lease,
                    instance: endpoint.id.clone(),
                    stand_in: None,
                });
            }
            Ok(Err(error)) => {
                let in_order = matches!(error, SendError::Refused { in_order: true, .. });
                let failure = Failure::Call(told(error, service(), endpoint.id.clone()));
                if in_order {
                    // That an instance shuts down speaks against nobody.
                    return Err(failure);
                }
                failure
            }
            Err(_) => Failure::Expired(Expired {
                expiry: limit.expiry(),
            }),
        };
        hold.end(Ended::Failed(failure.error_class()), now);
        Err(failure)
    }
}

/// Leave by those who may refuse.
fn admit(judge: &CallJudge) -> Result<Permits, Rejection> {
    let rules = &judge.way.enforced;
    let mut permits = Permits::default();
    if let Some(guard) = &rules.breaker {
        let permit = guard.machine.acquire_owned(clock::now);
        let permit = permit.inspect_err(|refusal| {
            if let Some(transition) = refusal.transition {
                judge.tell(transition);
            }
        })?;
        if let Some(transition) = permit.transition() {
            judge.tell(transition);
        }
        permits.breaker = Some(permit);
    }
    if let Some(guard) = &rules.adaptive {
        permits.adaptive = Some(Adaptive::acquire(guard.machine.clone(), clock::now())?);
    }
    Ok(permits)
}

fn told(error: SendError, service: String, instance: String) -> CallError {
    match error {
        SendError::Connect(cause) => CallError::Connect {
            service,
            instance,
            cause,
        },
        SendError::Refused { cause, .. } => CallError::Refused {
            service,
            instance,
            cause,
        },
        SendError::Broken(cause) => CallError::Broken {
            service,
            instance,
            cause,
        },
    }
}
