//! The request path, outermost first. Data passes in this order; each step says why it stands
//! where it stands.
//!
//! A hand-written async function with flat enums, not a stack of tower layers: every step is
//! always there, none needs to be named or boxed, and what a step knows (the rule, the deadline)
//! the next one needs. Layers would add a future and a move of the request each, for nothing that
//! varies. What varies per service and rule (limits, breaker, retries) is policies': it comes in
//! at two places, [`policy::begin`] and [`policy::run`], and costs a request without policies one
//! branch at each.
//!
//! | step | where | why here |
//! |---|---|---|
//! | accept | `worker` | the limit on connections costs nothing before anything is read |
//! | read limits | `connection`, `connections`, hyper | heads, idle and slow connections, before a request exists |
//! | hygiene | `scanner`, [`checked`] | a request with two readings must not reach anything that reads it |
//! | normalise | `target` | everything behind sees one form of host and path |
//! | request id, trace context | `headers` | every answer from here on, refusals too, names the request |
//! | match route | `core::route` | all that follows is the rule's |
//! | *authenticate, CORS* | – | later: per rule, before any work is done for the request |
//! | deadline | `upstream::deadline`, `caller` | everything below counts against it, a turn in a line included |
//! | rate limit | [`policy::begin`] | before any work is done for the request; what was refused costs the service nothing |
//! | *shed, cache, compression* | – | later |
//! | fault | `fault` | a rehearsal of the caller: outside what would take it for the service's failure; before the request filters, as it looks at what the client sent |
//! | request filters | [`Outgoing`] | after matching, which sees what the client sent; before balancing, once for all attempts |
//! | fallback | `policy::fallback` | stands in for whatever fails behind it, an open breaker included |
//! | bulkhead | `policy::place` | one place for all attempts of a request, held until its answer's body ends |
//! | retry, hedge | `policy::retry`, `policy::hedge` | around attempts, each of which is judged for itself |
//! | per attempt: breaker, adaptive limit | `policy::guarded` | each attempt asks anew: a breaker that opens ends the retries |
//! | per attempt: balance, pool, attempt timeout, upstream | [`exchange::attempt`] | another endpoint each time |
//! | response hygiene and filters | [`exchange::pass_on`] | on every answer of a backend, and on no other |
//! | access log, counters | `record` | ends with the answer's body, whatever ended it |

use std::{
    borrow::Cow,
    cell::RefCell,
    convert::Infallible,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use guildhall_core::route::{
    Reason, RequestHead,
    table::{Action, Backends, Rule, RuleFilter},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{self, UPGRADE},
    request,
};
use hyper::{body::Incoming, upgrade::OnUpgrade};

use crate::{
    answer::{self, Refusal},
    body::{RequestBody, ResponseBody},
    caller,
    connections::{Client, Entered},
    exchange::{self, Answer, Exchange, Outgoing, Tried},
    fault,
    headers::{self, Noted, RequestId},
    policy::{self, Timeouts},
    record::Record,
    snapshot::{Cluster, Snapshot},
    target, tunnel,
    upstream::Deadline,
    worker::Worker,
};

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
        Err(refusal) => Answer::Own(answer::refuse(refusal, &mut record, id.as_ref())),
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
    let noted = Noted::of(&head.headers);
    checked(client, &head, noted)?;
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

    let way = match (record.rule.as_ref(), backend.map(|backend| backend.target)) {
        (Some(rule), Some(Ok(id))) => view.way(rule, id, &cluster),
        _ => view.default_way(default_name(&path), &cluster),
    };

    // The deadline counts from the end of the request; the body tells when that was. What the client waits, if it says
    // so, counts from its head.
    let timeouts = Timeouts::of(rule, way.map(|way| &**way));
    let body = RequestBody::new(body);
    record.upload = body.upload().cloned();
    let limit = timeouts
        .request
        .unwrap_or(worker.shared.options.timeouts.request);
    let deadline = Deadline::new(limit, record.started, record.upload.clone());
    let inherited = match noted.deadline {
        true => inherited(&mut head.headers, record.started, timeouts.margin)?,
        false => None,
    };
    let tells = inherited.is_some() || timeouts.are_stated();
    let deadline = deadline.of_caller(inherited, tells);

    // Policies' first word; whoever waits for a turn does so within the deadline.
    if let Some(way) = way {
        let own = Arc::clone(way);
        let begun = policy::begin(client, record, &cluster, own, &head, &path, &deadline);
        let begun = Box::pin(begun).await;
        begun.map_err(|refusal| timeouts.explain(refusal, way))?;
    }

    // A rehearsal: outside everything that would take it for the service's failure. It looks at what the client sent.
    if let Some(fault) = rule.and_then(|rule| rule.fault.as_ref()) {
        Box::pin(fault::inject(worker, fault, &head.headers, &deadline)).await?;
    }

    // What the backend is sent: hygiene first, so that no header that a client names in
    // `Connection` takes away what is added here.
    let asked = headers::request_hygiene(&mut head.headers, noted);
    headers::forward(&mut head.headers, noted, &client.peer, authority.as_ref());
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
    let request = exchange::compose(
        head.method,
        uri,
        outgoing.headers,
        outgoing.host,
        asked.as_ref(),
        body,
    );

    // Attempts, and around them what policies ask for.
    let tried = RefCell::new(Tried::new());
    let exchange = Exchange {
        worker,
        cluster: &cluster,
        deadline: &deadline,
        attempt_timeout: timeouts.attempt,
        rules: way.map(|way| &way.enforced),
        hash: record.policed.as_ref().map_or(0, |policed| policed.hash),
        tried: &tried,
    };
    let answered = match way {
        None => exchange::attempt(&exchange, &mut record.lane, request).await?,
        // Boxed, because a request without policies must not carry it along.
        Some(way) => {
            let run = policy::run(&exchange, &way.enforced, &view, record, request);
            let outcome = Box::pin(run).await;
            match outcome.map_err(|refusal| timeouts.explain(refusal, way))? {
                policy::Outcome::Answered(answered) => answered,
                policy::Outcome::Substituted(answer) => {
                    return Ok(Answer::Own(policy::mark(answer, record)));
                }
            }
        }
    };
    record.answered = Some(crate::clock::now());
    exchange::pass_on(
        record,
        answered,
        deadline.for_body(timeouts.is_whole()),
        asked.as_ref().zip(on_upgrade),
        filters,
        backend_filters,
    )
    .await
}

/// Until when the client waits for the answer, less the `margin` for its way back; refused if that is over already.
/// What it said is not passed on as it is.
fn inherited(
    headers: &mut HeaderMap,
    started: Instant,
    margin: Duration,
) -> Result<Option<Instant>, Refusal> {
    let patience = caller::patience(headers);
    caller::forget(headers);
    match patience.map(|left| left.saturating_sub(margin)) {
        None => Ok(None),
        Some(Duration::ZERO) => Err(Refusal::new(
            Reason::DeadlineOver,
            "the client's deadline (grpc-timeout, x-envoy-expected-rq-timeout-ms) leaves no time to ask the service",
        )),
        Some(left) => Ok(started.checked_add(left)),
    }
}

/// Refuses what has no single reading, and what this gateway does not do.
fn checked(client: &Client, head: &request::Parts, noted: Noted) -> Result<(), Refusal> {
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
    if noted.expect
        && let Some(expected) = head.headers.get(header::EXPECT)
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
    let name = default_name(head.path);
    let cluster = view.service(name).cloned().ok_or(NO_ROUTE)?;
    Ok(Routed {
        rule: None,
        cluster: Some(cluster),
        prefix: name.len() + 1,
    })
}

/// The service that `/{service}/…` names.
fn default_name(path: &str) -> &str {
    let rest = &path[1.min(path.len())..];
    rest.split('/').next().unwrap_or_default()
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
