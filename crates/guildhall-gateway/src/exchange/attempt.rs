//! One attempt: an endpoint that answers.

use std::time::Instant;

use guildhall_core::{policy::guard::Ended, route::Reason};
use guildhall_resilience::outlier::{Observed, Ticket};
use http::Request;
use smallvec::SmallVec;

use super::{Answered, Exchange, Lane};
use crate::{
    answer::Refusal,
    body::{RequestBody, reason_of},
    caller, clock, policy,
    snapshot::{balance::Balance, cluster::Endpoint},
    upstream::{self, Attempts, Failure, Next, SendError},
};

/// The places of endpoints that were tried, in the cluster that is asked.
pub(crate) type Tried = SmallVec<[usize; 4]>;

/// Finds an endpoint that answers: balance, pool, connect, send; again where that is safe (see
/// `upstream::replay`).
///
/// Endpoints that were tried are left out as long as there are others, and the one that is tried is added to them.
pub(crate) async fn attempt(
    on: &Exchange<'_>,
    lane: &mut Lane,
    mut request: Request<RequestBody>,
) -> Result<Answered, Refusal> {
    let (worker, cluster) = (on.worker, on.cluster);
    let mut attempts = Attempts::default();
    let before = lane.attempts;
    let mut last = match cluster.endpoints().is_empty() && cluster.unsupported {
        true => Refusal::new(
            Reason::ProtocolUnsupported,
            "the service's instances do not speak HTTP/1.1 in the clear",
        ),
        false => Refusal::new(
            Reason::NoHealthyEndpoint,
            "the service has no instance that takes requests",
        ),
    };
    let repeatable =
        request.method().is_idempotent() && http_body::Body::is_end_stream(request.body());
    'endpoint: loop {
        let Some((place, endpoint)) = pick(on, lane.attempts == before) else {
            return Err(last);
        };
        let others = cluster.endpoints().len() > on.tried.borrow().len();
        let watch = Watch::begin(on, place);
        lane.attempts += 1;
        lane.endpoint = Some(endpoint.state.begin());
        let deadline = on.deadline.for_attempt(on.attempt_timeout);
        let mut pooled = worker.pools().take(&endpoint.state);
        loop {
            let reused = pooled.is_some();
            let mut upstream = match pooled.take() {
                Some(upstream) => upstream,
                // Boxed, because a request that finds a connection must not carry this along.
                None => match Box::pin(deadline.limit(upstream::connect(worker, endpoint))).await {
                    Ok(Ok(upstream)) => upstream,
                    Ok(Err(error)) => {
                        tracing::debug!(endpoint = &*endpoint.state.label, %error, "an endpoint cannot be reached");
                        last = Refusal::new(
                            Reason::UpstreamConnectFailed,
                            "no connection to an instance of the service could be made",
                        );
                        watch.end(Reason::UpstreamConnectFailed);
                        match attempts.failed(Failure::NotConnected, others) {
                            Next::OtherEndpoint => {
                                worker.stats().replays.add(1);
                                continue 'endpoint;
                            }
                            Next::NewConnection | Next::GiveUp => return Err(last),
                        }
                    }
                    Err(expired) => return Err(watch.refuse(timed_out(expired))),
                },
            };
            // What is left now, and not what was when the request came in.
            match deadline.told() {
                Ok(None) => {}
                Ok(Some(left)) => caller::tell(request.headers_mut(), left),
                Err(expired) => return Err(watch.refuse(timed_out(expired))),
            }
            let failure = match upstream.send(request, repeatable, &deadline).await {
                Ok(response) => {
                    watch.answered(response.status());
                    return Ok(Answered { response, upstream });
                }
                Err(SendError::Unsent(back)) => {
                    request = *back;
                    Failure::Unsent
                }
                Err(SendError::Lost(error)) => {
                    tracing::debug!(
                        endpoint = &*endpoint.state.label,
                        ?error,
                        reused,
                        "a connection was lost"
                    );
                    last = Refusal::new(
                        Reason::UpstreamReset,
                        "the instance closed the connection before it answered",
                    );
                    let Some(again) = upstream.sent() else {
                        return Err(watch.refuse(last));
                    };
                    request = again;
                    Failure::Lost { reused, repeatable }
                }
                Err(SendError::Invalid(error)) => {
                    tracing::debug!(endpoint = &*endpoint.state.label, %error, "an answer is not valid HTTP");
                    return Err(watch.refuse(Refusal::new(
                        Reason::UpstreamInvalid,
                        "the instance's answer is not valid HTTP",
                    )));
                }
                Err(SendError::Upload) => {
                    return Err(Refusal::closing(
                        Reason::RequestInvalid,
                        "the request's body broke off or is malformed",
                    ));
                }
                Err(SendError::Expired(expired)) => return Err(watch.refuse(timed_out(expired))),
            };
            worker.pools().discard(&endpoint.state);
            match attempts.failed(failure, others) {
                Next::NewConnection => worker.stats().replays.add(1),
                Next::OtherEndpoint => {
                    watch.end(last.reason);
                    worker.stats().replays.add(1);
                    continue 'endpoint;
                }
                Next::GiveUp => return Err(watch.refuse(last)),
            }
        }
    }
}

/// The endpoint to try. One that was tried is tried again by another attempt (`first`) if there is no other; one that is
/// ejected takes a request that was refused everywhere else.
fn pick<'a>(on: &Exchange<'a>, first: bool) -> Option<(usize, &'a Endpoint)> {
    let random = &mut *on.worker.random();
    let mut tried = on.tried.borrow_mut();
    let mut picked = on.cluster.pick(on.hash, random, &tried);
    if picked.is_none() && !tried.is_empty() {
        if first {
            tried.clear();
            picked = on.cluster.pick(on.hash, random, &tried);
        } else if on.cluster.balance().is_some() {
            picked = on.cluster.pick_any(random, &tried);
        }
    }
    let (place, _) = picked?;
    tried.push(place);
    picked
}

/// One endpoint under outlier detection, and its latency, where a policy looks at them.
struct Watch<'w, 'a> {
    on: &'w Exchange<'a>,
    seen: Option<Seen<'a>>,
}

struct Seen<'a> {
    balance: &'a Balance,
    place: usize,
    ticket: Option<Ticket>,
    began: Instant,
}

impl<'w, 'a> Watch<'w, 'a> {
    fn begin(on: &'w Exchange<'a>, place: usize) -> Self {
        let seen = on.cluster.balance().map(|balance| Seen {
            balance,
            place,
            ticket: balance.begin(place),
            began: clock::now(),
        });
        Self { on, seen }
    }

    fn answered(&self, status: http::StatusCode) {
        if self.seen.is_some() {
            self.told(Ended::Status(status.as_u16()));
        }
    }

    fn refuse(&self, refusal: Refusal) -> Refusal {
        self.end(refusal.reason);
        refusal
    }

    fn end(&self, reason: Reason) {
        if self.seen.is_some() {
            self.told(policy::ended(reason, self.on.attempt_timeout.is_some()));
        }
    }

    #[cold]
    fn told(&self, ended: Ended) {
        let (Some(seen), Some(rules)) = (&self.seen, self.on.rules) else {
            return;
        };
        let now = clock::now();
        let (status, latency) = match ended {
            Ended::Status(status) => {
                let latency = now.saturating_duration_since(seen.began);
                (Some(status), Some(latency))
            }
            Ended::Grpc(_) | Ended::Failed(_) => (None, None),
        };
        let observed = Observed::new(rules.outcome(ended), status);
        seen.balance
            .end(seen.place, seen.ticket, observed, latency, now);
    }
}

fn timed_out(expired: upstream::Expired) -> Refusal {
    let detail = match expired {
        upstream::Expired::Request => {
            "the service did not answer within the route's timeouts.request"
        }
        upstream::Expired::Attempt => {
            "the instance did not answer within the route's timeouts.backendRequest"
        }
        upstream::Expired::Inherited => {
            "the service did not answer within the time that the client waits (grpc-timeout, \
             x-envoy-expected-rq-timeout-ms)"
        }
    };
    Refusal::new(reason_of(expired), detail)
}
