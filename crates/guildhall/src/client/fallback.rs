//! What answers in a service's place, as its policy says: a good answer that was kept, another service, an answer that
//! is always the same.

use std::{
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use guildhall_core::{
    document::Timestamp,
    policy::{
        compile::{FallbackTarget, FixedAnswer},
        guard::{FallbackGuard, Way},
    },
};
use guildhall_resilience::{fallback::Cause, tower::fallback::Answers};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response,
    header::{ACCEPT, ACCEPT_LANGUAGE, AGE, AUTHORIZATION, CACHE_CONTROL, COOKIE, VARY},
};
use tower::Service;

use super::{Answer, CallError, StandIn, failure::Failure, outgoing::Outgoing, target::Target};
use crate::{
    clock,
    discovery::Callee,
    policy::{Callees, Sdk},
};

/// What tells calls apart that have different answers: what is asked for, and what it may depend on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AnswerKey {
    method: Method,
    path: String,
    varies: [Option<HeaderValue>; 4],
}

/// The request headers that an answer may depend on if it is to be kept.
const VARIES: [http::HeaderName; 4] = [ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE];

impl AnswerKey {
    /// `None` for what changes something, or has a body: its answer is nobody else's.
    fn of<B: AsRef<[u8]>>(request: &Request<B>) -> Option<Self> {
        let reads = [Method::GET, Method::HEAD].contains(request.method());
        (reads && request.body().as_ref().is_empty()).then(|| Self {
            method: request.method().clone(),
            path: request.uri().to_string(),
            varies: VARIES.map(|name| request.headers().get(name).cloned()),
        })
    }
}

/// Whether a good answer may be given to others who ask the same.
fn may_be_kept(headers: &HeaderMap) -> bool {
    let words = |name| {
        let values = headers.get_all(name).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|word| word.trim().to_ascii_lowercase())
            .collect::<Vec<_>>()
    };
    let known = |word: &String| VARIES.iter().any(|name| name.as_str() == word);
    !words(CACHE_CONTROL).iter().any(|word| word == "no-store")
        && words(VARY)
            .iter()
            .all(|word| known(word) || word == "accept-encoding" || word == "origin")
}

/// The answers of a service's fallback.
#[derive(Clone, Debug)]
pub(crate) struct Instead {
    pub(super) service: Arc<str>,
    pub(super) fixed: Option<FixedAnswer>,
}

impl Answers<Outgoing, Answer> for Instead {
    type Key = AnswerKey;

    fn key(&self, outgoing: &Outgoing) -> Option<AnswerKey> {
        AnswerKey::of(&outgoing.request)
    }

    fn copy(&self, good: &Answer) -> Option<(Answer, usize)> {
        let headers = good.headers();
        let head: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        may_be_kept(headers).then(|| (good.clone(), good.body().len() + head))
    }

    fn kept(&self, kept: &Answer, age: Duration) -> Option<Answer> {
        let mut answer = kept
            .clone()
            .standing_in(&self.service, StandIn::Kept { age });
        answer
            .headers_mut()
            .insert(AGE, HeaderValue::from(age.as_secs()));
        Some(answer)
    }

    fn fixed(&self, _: Cause) -> Option<Answer> {
        let fixed = self.fixed.as_ref()?;
        let mut response = Response::new(fixed.body.clone());
        *response.status_mut() = fixed.status;
        response.headers_mut().clone_from(&fixed.headers);
        let answer = Answer::instead(response);
        Some(answer.standing_in(&self.service, StandIn::Fixed))
    }
}

/// Another service that is asked instead, by its own policies; nothing stands in for it.
#[derive(Clone)]
pub(crate) struct Other {
    pub(super) callees: Weak<Callees>,
    pub(super) callee: Arc<Callee>,
    pub(super) instead_of: Arc<str>,
}

impl Service<Outgoing> for Other {
    type Response = Answer;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Answer, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, outgoing: Outgoing) -> Self::Future {
        let Self {
            callees,
            callee,
            instead_of,
        } = self.clone();
        let outgoing = Outgoing {
            tried: Arc::default(),
            ..outgoing
        };
        async move {
            let target = asked_instead(&callees, &callee)?;
            let answer = target.pass(outgoing).await?;
            let stand_in = StandIn::Service(callee.as_str().to_owned());
            Ok(answer.standing_in(&instead_of, stand_in))
        }
        .boxed()
    }
}

/// The service that a policy of the namespace of `way` names to be asked instead.
pub(crate) fn other_service(guard: &FallbackGuard<Sdk>, way: &Way<Sdk>) -> Option<Callee> {
    let FallbackTarget { namespace, name } = guard.rule.service.as_ref()?;
    let other = namespace.as_ref();
    let other = other.filter(|namespace| **namespace != way.service.namespace);
    Some(match other {
        Some(namespace) => Callee::foreign(namespace, name),
        None => Callee::own(name.as_str()),
    })
}

/// The service that is asked instead, as long as there are any.
pub(crate) fn asked_instead(
    callees: &Weak<Callees>,
    callee: &Callee,
) -> Result<Arc<Target>, Failure> {
    let wall = Timestamp::from_system(clock::wall());
    let gone = || {
        let service = callee.as_str().to_owned();
        Failure::Call(CallError::NoPlatform { service })
    };
    let callees = callees.upgrade().ok_or_else(gone)?;
    Ok(callees.target(callee, clock::now(), wall))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn key(method: &str, path: &str, token: &str) -> Option<AnswerKey> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", token);
        AnswerKey::of(&request.body(Bytes::new()).unwrap())
    }

    #[test]
    fn answers_are_kept_for_those_who_ask_the_same() {
        assert_eq!(key("GET", "/a?b=1", "t"), key("GET", "/a?b=1", "t"));
        assert_ne!(key("GET", "/a?b=1", "t"), key("GET", "/a?b=2", "t"));
        assert_ne!(key("GET", "/a", "alice"), key("GET", "/a", "bob"));
        assert_eq!(key("POST", "/a", "t"), None);
    }

    #[test]
    fn what_must_not_be_kept_or_depends_on_more_is_not() {
        let table = [
            ("cache-control", "max-age=5", true),
            ("cache-control", "private, no-store", false),
            ("vary", "Accept, accept-encoding", true),
            ("vary", "X-Tenant", false),
            ("vary", "*", false),
        ];
        for (name, value, expect) in table {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(may_be_kept(&headers), expect, "{name}: {value}");
        }
    }
}
