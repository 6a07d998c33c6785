//! One attempt: an endpoint that answers.

use guildhall_core::route::Reason;
use http::Request;
use smallvec::SmallVec;

use super::{Answered, Exchange, Lane};
use crate::{
    answer::Refusal,
    body::{RequestBody, reason_of},
    upstream::{self, Attempts, Failure, Next, SendError},
};

/// The places of endpoints that were tried, in the cluster that is asked.
pub(crate) type Tried = SmallVec<[usize; 4]>;

/// Finds an endpoint that answers: balance, pool, connect, send; again where that is safe (see
/// `upstream::replay`).
///
/// Endpoints in `tried` are left out, and the one that is tried is added to them.
pub(crate) async fn attempt(
    on: &Exchange<'_>,
    lane: &mut Lane,
    tried: &mut Tried,
    mut request: Request<RequestBody>,
) -> Result<Answered, Refusal> {
    let (worker, cluster) = (on.worker, on.cluster);
    let mut attempts = Attempts::default();
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
        let picked = cluster.pick(&mut worker.random(), tried);
        let Some((place, endpoint)) = picked else {
            return Err(last);
        };
        tried.push(place);
        let others = cluster.endpoints().len() > tried.len();
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
                        match attempts.failed(Failure::NotConnected, others) {
                            Next::OtherEndpoint => {
                                worker.stats().replays.add(1);
                                continue 'endpoint;
                            }
                            Next::NewConnection | Next::GiveUp => return Err(last),
                        }
                    }
                    Err(expired) => return Err(timed_out(expired)),
                },
            };
            let failure = match upstream.send(request, repeatable, &deadline).await {
                Ok(response) => return Ok(Answered { response, upstream }),
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
                        return Err(last);
                    };
                    request = again;
                    Failure::Lost { reused, repeatable }
                }
                Err(SendError::Invalid(error)) => {
                    tracing::debug!(endpoint = &*endpoint.state.label, %error, "an answer is not valid HTTP");
                    return Err(Refusal::new(
                        Reason::UpstreamInvalid,
                        "the instance's answer is not valid HTTP",
                    ));
                }
                Err(SendError::Upload) => {
                    return Err(Refusal::closing(
                        Reason::RequestInvalid,
                        "the request's body broke off or is malformed",
                    ));
                }
                Err(SendError::Expired(expired)) => return Err(timed_out(expired)),
            };
            worker.pools().discard(&endpoint.state);
            match attempts.failed(failure, others) {
                Next::NewConnection => worker.stats().replays.add(1),
                Next::OtherEndpoint => {
                    worker.stats().replays.add(1);
                    continue 'endpoint;
                }
                Next::GiveUp => return Err(last),
            }
        }
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
    };
    Refusal::new(reason_of(expired), detail)
}
