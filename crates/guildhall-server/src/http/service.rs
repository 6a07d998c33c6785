//! The chain that every request takes, by hand: request id → resource → caller → handler → answer.
//!
//! A stack of layers would box and clone for each of these steps; the registry's bar is a few microseconds a request.
//! Only what is asked for most (a discovery answer that is kept) is answered without a future of its own.

use std::{future::Future, pin::Pin, sync::Arc, time::Instant};

use guildhall_api::wire::{Problem, header as names};
use guildhall_core::access::{Caller, Via};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header, request::Parts};
use hyper::body::Incoming;

use super::problem::Refusal;
use super::{
    Api,
    answer::{self, Answer},
    call::Call,
    discovery, dispatch, params,
    query::Query,
    routes::{Method, Resource, Target, resolve},
};
use crate::{
    auth::Principal,
    clock,
    serve::{Handle, Handling},
};

impl Handle for Api {
    fn handle(self: &Arc<Self>, request: Request<Incoming>) -> Handling {
        let (parts, body) = request.into_parts();
        let entered = Entered::new(self, &parts);
        let (target, principal) = match self.admit(&parts) {
            Ok(admitted) => admitted,
            Err(problem) => return Handling::Done(entered.leave(self, None, Err(problem))),
        };
        let caller = entered.caller(&principal);
        let what = (target.resource, target.method);
        if what == (Resource::Instances, Method::Get)
            && let Some(namespace) = target.scope.one()
            && let Some(uri) = parts.uri.path_and_query()
            && let Some(kept) =
                discovery::kept(self, &caller, namespace, &target.name, uri.as_str())
        {
            return Handling::Done(entered.leave(self, Some(what), Ok(kept)));
        }
        let query = match Query::parse(parts.uri.query(), params::accepted(what.0, what.1)) {
            Ok(query) => query,
            Err(problem) => return Handling::Done(entered.leave(self, Some(what), Err(problem))),
        };
        let call = Call {
            target,
            caller,
            query,
            headers: parts.headers,
            uri: parts.uri,
            body: Some(body),
        };
        let api = self.clone();
        Handling::Later(Box::pin(async move {
            let outcome = dispatch::dispatch(&api, call).await;
            entered.leave(&api, Some(what), outcome)
        }))
    }
}

impl Api {
    /// Finds what is asked for and who asks. Who asks is known first, so that a stranger cannot tell paths apart.
    fn admit(&self, parts: &Parts) -> Result<(Target, Arc<Principal>), Refusal> {
        let target = resolve(&parts.method, parts.uri.path());
        if let Ok(target) = &target
            && target.resource.is_public()
        {
            return Ok((target.clone(), self.guard.nobody()));
        }
        let principal = self.guard.identify(&parts.headers)?;
        Ok((target?, principal))
    }
}

/// What is known of a request from its first moment to its last.
struct Entered {
    id: Arc<str>,
    header: HeaderValue,
    /// Set where requests are logged.
    seen: Option<Seen>,
}

/// What the access log says of a request.
struct Seen {
    since: Instant,
    method: http::Method,
    path: String,
}

impl Entered {
    fn new(api: &Api, parts: &Parts) -> Self {
        let (id, header) = request_id(&parts.headers);
        let seen = api.options.access_log.then(|| Seen {
            since: clock::now(),
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
        });
        Self { id, header, seen }
    }

    fn caller(&self, principal: &Principal) -> Caller {
        Caller {
            principal: principal.name.clone(),
            via: Via::Api,
            request_id: self.id.clone(),
            grants: principal.grants.clone(),
        }
    }

    /// Finishes an answer: the problem if it is one, the request's id, the counters, the access log.
    fn leave(
        self,
        api: &Api,
        what: Option<(Resource, Method)>,
        outcome: Result<Answer, Refusal>,
    ) -> Answer {
        let mut answer = match outcome {
            Ok(answer) => answer,
            Err(problem) => refused(*problem, &self.id),
        };
        answer.headers_mut().insert(names::REQUEST_ID, self.header);
        let status = answer.status();
        api.metrics.count(what, status);
        if let Some(Seen {
            since,
            method,
            path,
        }) = self.seen
        {
            tracing::info!(
                target: "access",
                %method,
                path,
                status = status.as_u16(),
                bytes = answer.body().len(),
                micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
                request = %self.id,
                "request"
            );
        }
        answer
    }
}

fn refused(problem: Problem, id: &str) -> Answer {
    let status = problem.status_code();
    let mut answer = answer::problem(&problem.with_request_id(id));
    match status {
        StatusCode::UNAUTHORIZED => {
            answer
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    answer
}

/// The caller's id for the request, if it is one, else a new one.
fn request_id(headers: &HeaderMap) -> (Arc<str>, HeaderValue) {
    if let Some(given) = headers.get(names::REQUEST_ID)
        && let Ok(id) = given.to_str()
        && names::is_request_id(id)
    {
        return (id.into(), given.clone());
    }
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let number = fastrand::u64(..);
    let mut digits = [0_u8; 16];
    for (at, digit) in digits.iter_mut().enumerate() {
        *digit = DIGITS[(number >> (4 * at) & 15) as usize];
    }
    let header = HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("0"));
    (std::str::from_utf8(&digits).unwrap_or("0").into(), header)
}

/// A future of an answer, where one is needed.
pub(crate) type Later = Pin<Box<dyn Future<Output = Answer> + Send>>;
