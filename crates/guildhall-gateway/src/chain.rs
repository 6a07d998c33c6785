//! The request path, outermost first. Data passes in this order; each step says why it stands
//! where it stands.
//!
//! A hand-written async function with flat enums, not a stack of tower layers: every step is
//! always there, none needs to be named or boxed, and what a step knows (the rule, the deadline)
//! the next one needs. Layers would add a future and a move of the request each, for nothing that
//! varies. What will vary per service (breaker, limits, retries) comes in at the two marked
//! places.
//!
//! | step | where | why here |
//! |---|---|---|
//! | accept | `worker` | the limit on connections costs nothing before anything is read |
//! | read limits | `connection`, `connections`, hyper | heads, idle and slow connections, before a request exists |
//! | hygiene | `scanner`, [`checked`] | a request with two readings must not reach anything that reads it |
//! | normalise | `target` | everything behind sees one form of host and path |
//! | request id, trace context | `headers` | every answer from here on, refusals too, names the request |
//! | match route | `core::route` | all that follows is the rule's |
//! | *authenticate, CORS, rate limit, validate* | – | later: per rule, before any work is done for the request |
//! | deadline | `upstream::deadline` | everything below counts against it |
//! | *shed, cache, compression* | – | later |
//! | request filters | [`Outgoing`] | after matching, which sees what the client sent; before balancing, once for all attempts |
//! | *fault, fallback, bulkhead, retry, hedge* | – | later: around [`attempt`] |
//! | per attempt: *breaker*, balance, pool, attempt timeout, upstream | [`attempt`] | another endpoint each time |
//! | response hygiene and filters | [`pass_on`] | on every answer of a backend, and on no other |
//! | access log, counters | `record` | ends with the answer's body, whatever ended it |

use std::{borrow::Cow, convert::Infallible, rc::Rc, sync::Arc};

use bytes::Bytes;
use guildhall_core::route::{
    Reason, RequestHead,
    table::{Action, Backends, Rule, RuleFilter},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{self, CONNECTION, HOST, UPGRADE},
    request, response,
};
use hyper::{body::Incoming, upgrade::OnUpgrade};

use crate::{
    answer::{self, Refusal},
    body::{RequestBody, ResponseBody, reason_of},
    connections::{Client, Entered},
    headers::{self, RequestId},
    record::Record,
    snapshot::{Cluster, Snapshot},
    target, tunnel,
    upstream::{self, Attempts, Deadline, Failure, Next, SendError, Upstream},
    worker::Worker,
};

/// An answer, before it is joined with the record of its request.
enum Answer {
    /// The gateway's own.
    Own(Response<Bytes>),
    /// A backend's, still arriving on `upstream`; `deadline` holds for all of it, if given.
    Upstream {
        head: response::Parts,
        incoming: Incoming,
        upstream: Box<Upstream>,
        deadline: Option<Deadline>,
    },
    /// A backend's agreement to leave HTTP.
    Tunnel {
        head: response::Parts,
        client: OnUpgrade,
        backend: upstream::Tunnel,
    },
}

/// Answers one request.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    entered: Rc<Entered>,
    mut request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let client = &entered.client;
    let asks_upgrade = request.headers().contains_key(UPGRADE);
    let on_upgrade = asks_upgrade.then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let mut record = Record::begin(&worker, client, &head);
    let mut id = None;
    let answer = match decide(
        &worker,
        client,
        &mut record,
        &mut id,
        head,
        body,
        on_upgrade,
    )
    .await
    {
        Ok(answer) => answer,
        Err(refusal) => Answer::Own(answer::refuse(&refusal, &mut record, id.as_ref())),
    };
    if asks_upgrade && !matches!(answer, Answer::Tunnel { .. }) {
        client.observed.resume();
    }
    Ok(match answer {
        Answer::Own(own) => own.map(|body| ResponseBody::own(body, record)),
        Answer::Upstream {
            head,
            incoming,
            upstream,
            deadline,
        } => Response::from_parts(
            head,
            ResponseBody::upstream(incoming, upstream, deadline, record),
        ),
        Answer::Tunnel {
            head,
            client: upgraded,
            backend,
        } => {
            client.observed.tunnel();
            client.begin_tunnel();
            tokio::task::spawn_local(tunnel::run(
                worker,
                Rc::clone(&entered),
                upgraded,
                backend,
                record,
            ));
            Response::from_parts(head, ResponseBody::nothing())
        }
    })
}

/// Everything between a request's head and its answer's.
async fn decide(
    worker: &Rc<Worker>,
    client: &Rc<Client>,
    record: &mut Record,
    id: &mut Option<RequestId>,
    mut head: request::Parts,
    body: Incoming,
    on_upgrade: Option<OnUpgrade>,
) -> Result<Answer, Refusal> {
    // Hygiene, then the one form of host and path.
    checked(client, &head)?;
    let authority = target::authority(&head);
    let host = target::host(authority.as_ref())?;
    let path = target::path(&head.method, &head.uri)?;

    // Who asks for what, for logs on both sides.
    let request_id = headers::request_id(&mut head.headers, &mut worker.random());
    let trace = headers::trace_context(&mut head.headers);
    record.identify(&request_id, trace);
    *id = Some(request_id);

    // The rule, and with it the place requests go to.
    let view = worker.view();
    let routed = route(
        &view,
        &RequestHead {
            method: &head.method,
            host: &host,
            path: &path,
            query: head.uri.query(),
            headers: &head.headers,
        },
    )?;
    record.rule = routed.rule.cloned();
    let rule = record.rule.clone();
    let rule = rule.as_deref();
    let backend = match rule.map(|rule| &rule.action) {
        None => None,
        Some(Action::Unsupported) => {
            return Err(Refusal::new(
                Reason::RuleUnsupported,
                "the rule has a filter that is not supported; see the route's conditions",
            ));
        }
        Some(Action::Redirect(redirect)) => {
            record.reason = Reason::Redirected;
            let to = authority
                .as_ref()
                .and_then(|a| a.to_str().ok())
                .unwrap_or_default();
            let to = target::location(redirect, to, &path, routed.prefix, head.uri.query());
            let answer = redirected(redirect.status_code, &to, rule);
            record.status = answer.status().as_u16();
            return Ok(Answer::Own(answer));
        }
        Some(Action::Forward(backends)) => Some(share(worker, backends)?),
    };
    let cluster = match (&routed.cluster, backend) {
        (Some(cluster), _) => Arc::clone(cluster),
        (None, Some(backend)) => {
            const INVALID: Refusal = Refusal::new(
                Reason::BackendInvalid,
                "the rule's backend cannot be used; see the route's conditions",
            );
            let id = backend.target.map_err(|_| INVALID)?;
            view.cluster(id).cloned().ok_or(INVALID)?
        }
        (None, None) => return Err(NO_ROUTE),
    };
    record.cluster = Some(Arc::clone(&cluster));
    if !cluster.exists {
        return Err(Refusal::new(
            Reason::BackendInvalid,
            "the rule's backend is no registered service",
        ));
    }

    // The deadline counts from the end of the request; the body tells when that was.
    let limit = rule.and_then(|rule| rule.request_timeout);
    let body = RequestBody::new(body);
    record.upload = body.upload().cloned();
    let limit_or_default = limit.unwrap_or(worker.shared.options.timeouts.request);
    let deadline = Deadline::new(limit_or_default, record.started, record.upload.clone());

    // What the backend is sent: hygiene first, so that no header that a client names in
    // `Connection` takes away what is added here.
    let asked = headers::request_hygiene(&mut head.headers);
    headers::forward(&mut head.headers, &client.peer, authority.as_ref());
    let filters = rule.map_or(&[][..], |rule| &rule.filters);
    let backend_filters = backend.map_or(&[][..], |backend| &backend.filters);
    let mut outgoing = Outgoing {
        path,
        prefix: routed.prefix,
        host: authority.filter(|_| head.uri.authority().is_some()),
        headers: head.headers,
    };
    if routed.rule.is_none() {
        // The default route: the service's name is not the service's business.
        let rest = outgoing
            .path
            .get(routed.prefix..)
            .filter(|rest| !rest.is_empty())
            .unwrap_or("/")
            .to_owned();
        outgoing.path = Cow::Owned(rest);
    }
    for filter in filters.iter().chain(backend_filters) {
        outgoing.apply(filter);
    }
    let asked = asked.filter(|_| head.version == Version::HTTP_11 && body.upload().is_none());
    let uri = target::outgoing(outgoing.path, &head.uri);
    let request = compose(
        head.method,
        uri,
        outgoing.headers,
        outgoing.host,
        asked.as_ref(),
        body,
    );

    // Per attempt; retries, hedging and breakers will stand around and in this.
    let (answer, upstream) = attempt(worker, record, &cluster, rule, &deadline, request).await?;
    let whole = limit
        .is_some_and(|limit| !limit.is_zero())
        .then_some(deadline);
    pass_on(
        record,
        answer,
        upstream,
        whole,
        asked.as_ref().zip(on_upgrade),
        filters,
        backend_filters,
    )
    .await
}

/// Refuses what has no single reading, and what this gateway does not do.
fn checked(client: &Client, head: &request::Parts) -> Result<(), Refusal> {
    let message = client.next_message();
    if let Some(violation) = client.observed.violation(message) {
        return Err(Refusal::closing(Reason::RequestInvalid, violation.detail()));
    }
    if head.method == Method::CONNECT {
        return Err(Refusal::closing(
            Reason::MethodUnsupported,
            "this gateway opens no tunnels by CONNECT",
        ));
    }
    if let Some(expected) = head.headers.get(header::EXPECT)
        && !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err(Refusal::new(
            Reason::ExpectationFailed,
            "the only expectation supported is 100-continue",
        ));
    }
    Ok(())
}

/// What the routes say about a request.
struct Routed<'v> {
    /// `None` for the default route.
    rule: Option<&'v Arc<Rule>>,
    /// The default route's service.
    cluster: Option<Arc<Cluster>>,
    /// How much of the path was matched.
    prefix: usize,
}

const NO_ROUTE: Refusal = Refusal::new(
    Reason::RouteNotFound,
    "no route's hostnames and rules match this request",
);

fn route<'v>(view: &'v Snapshot, head: &RequestHead<'_>) -> Result<Routed<'v>, Refusal> {
    if let Some(found) = view.table.find(head) {
        return Ok(Routed {
            rule: Some(found.rule),
            cluster: None,
            prefix: found.prefix,
        });
    }
    if !view.ready {
        return Err(Refusal::new(
            Reason::NotReady,
            "the gateway has not received its documents yet; try again",
        ));
    }
    let name = head.path[1.min(head.path.len())..]
        .split('/')
        .next()
        .unwrap_or_default();
    let cluster = view.service(name).cloned().ok_or(NO_ROUTE)?;
    Ok(Routed {
        rule: None,
        cluster: Some(cluster),
        prefix: name.len() + 1,
    })
}

/// The backend whose share of the requests this one falls to.
fn share<'b>(
    worker: &Worker,
    backends: &'b Backends,
) -> Result<&'b guildhall_core::route::table::Backend, Refusal> {
    let at = match backends.total() {
        0 | 1 => 0,
        total => worker.random().u64(..total),
    };
    backends.choose(at).ok_or(Refusal::new(
        Reason::BackendInvalid,
        "the rule has no backend with a weight",
    ))
}

/// A request as the filters change it.
struct Outgoing<'p> {
    path: Cow<'p, str>,
    prefix: usize,
    /// Where it differs from the `Host` header.
    host: Option<HeaderValue>,
    headers: HeaderMap,
}

impl Outgoing<'_> {
    fn apply(&mut self, filter: &RuleFilter) {
        match filter {
            RuleFilter::RequestHeaders(edit) => headers::edit(&mut self.headers, edit),
            RuleFilter::ResponseHeaders(_) => {}
            RuleFilter::Rewrite(rewrite) => {
                if let Some(modifier) = &rewrite.path {
                    self.path = Cow::Owned(target::modify(&self.path, self.prefix, modifier));
                }
                if let Some(host) = rewrite
                    .hostname
                    .as_deref()
                    .and_then(|host| HeaderValue::from_str(host).ok())
                {
                    self.host = Some(host);
                }
            }
        }
    }
}

fn compose(
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    host: Option<HeaderValue>,
    upgrade: Option<&HeaderValue>,
    body: RequestBody,
) -> Request<RequestBody> {
    match host {
        Some(host) => drop(headers.insert(HOST, host)),
        None if headers.contains_key(HOST) => {}
        // HTTP/1.0 without a host: the backend is asked in HTTP/1.1, which needs one.
        None => drop(headers.insert(HOST, HeaderValue::from_static("localhost"))),
    }
    if let Some(upgrade) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, upgrade.clone());
    }
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}

/// Finds an endpoint that answers: balance, pool, connect, send; again where that is safe (see
/// `upstream::replay`).
async fn attempt(
    worker: &Rc<Worker>,
    record: &mut Record,
    cluster: &Cluster,
    rule: Option<&Rule>,
    deadline: &Deadline,
    mut request: Request<RequestBody>,
) -> Result<(Response<Incoming>, Box<Upstream>), Refusal> {
    let mut attempts = Attempts::default();
    let mut tried: smallvec::SmallVec<[usize; 4]> = smallvec::SmallVec::new();
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
        let picked = cluster.pick(&mut worker.random(), &tried);
        let Some((place, endpoint)) = picked else {
            return Err(last);
        };
        tried.push(place);
        let others = cluster.endpoints().len() > tried.len();
        record.attempts += 1;
        record.endpoint = Some(endpoint.state.begin());
        let deadline = deadline.for_attempt(rule.and_then(|rule| rule.backend_timeout));
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
                Ok(answer) => {
                    record.answered = Some(crate::clock::now());
                    return Ok((answer, upstream));
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

/// Prepares a backend's answer for the client: hygiene, then the rule's filters.
async fn pass_on(
    record: &mut Record,
    answer: Response<Incoming>,
    upstream: Box<Upstream>,
    deadline: Option<Deadline>,
    upgrade: Option<(&HeaderValue, OnUpgrade)>,
    filters: &[RuleFilter],
    backend_filters: &[RuleFilter],
) -> Result<Answer, Refusal> {
    let (mut head, incoming) = answer.into_parts();
    let switched = headers::response_hygiene(&mut head.headers);
    head.version = Version::HTTP_11;
    for filter in filters.iter().chain(backend_filters) {
        if let RuleFilter::ResponseHeaders(edit) = filter {
            headers::edit(&mut head.headers, edit);
        }
    }
    record.reason = Reason::Forwarded;
    record.status = head.status.as_u16();
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Answer::Upstream {
            head,
            incoming,
            upstream,
            deadline,
        });
    }
    // A tunnel only opens where the client asked for what the backend agreed to: otherwise one of
    // the two still speaks HTTP.
    const UNASKED: Refusal = Refusal::closing(
        Reason::UpstreamInvalid,
        "the instance switched to a protocol that was not asked for",
    );
    let (asked, client) = upgrade.ok_or(UNASKED)?;
    let protocol = switched
        .filter(|protocol| is_listed(protocol, asked))
        .ok_or(UNASKED)?;
    head.headers
        .insert(CONNECTION, HeaderValue::from_static("upgrade"));
    head.headers.insert(UPGRADE, protocol);
    let backend = Box::pin(upstream.into_tunnel()).await.ok_or(UNASKED)?;
    Ok(Answer::Tunnel {
        head,
        client,
        backend,
    })
}

/// Whether `protocol` is among those `asked` for.
fn is_listed(protocol: &HeaderValue, asked: &HeaderValue) -> bool {
    let mut listed = asked
        .as_bytes()
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii);
    listed.any(|one| one.eq_ignore_ascii_case(protocol.as_bytes().trim_ascii()))
}

fn redirected(status: Option<u16>, to: &str, rule: Option<&Rule>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    *response.status_mut() = status.unwrap_or(StatusCode::FOUND);
    // Made of a valid host, a normal path and a query that was a valid target's.
    if let Ok(to) = HeaderValue::try_from(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    for filter in rule.map_or(&[][..], |rule| &rule.filters) {
        if let RuleFilter::ResponseHeaders(edit) = filter {
            headers::edit(response.headers_mut(), edit);
        }
    }
    response
}
