//! Once more: a failed attempt is followed by another where policy, budget, body and deadline allow it.
//!
//! Around what is sent again without anybody having asked (`upstream::replay`), which is part of an attempt.

use guildhall_core::policy::guard::RetryGuard;
use guildhall_resilience::retry::{
    Attempted, Body as Repeatable, Decision, Idempotency, NoRetry, retry_after,
};
use http::{HeaderMap, HeaderName, Method, Request, Uri, header::RETRY_AFTER};
use tokio::time::sleep;

use super::{hedge, judge};
use crate::{
    answer::Refusal,
    body::{Held, RequestBody, reason_of},
    clock,
    exchange::{Answered, Exchange},
    record::Record,
    snapshot::Rules,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request that may have to be sent again.
#[derive(Debug)]
pub(super) struct Template {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    /// `None` without a body.
    held: Option<Held>,
    idempotency: Idempotency,
}

impl Template {
    /// Of `request`, whose body is kept from now on, up to `most` bytes.
    pub(super) fn of(request: &mut Request<RequestBody>, most: usize) -> Self {
        // A key by which the service tells a repetition is the client's word that repeating does no harm.
        let idempotency = match request.headers().contains_key(IDEMPOTENCY_KEY) {
            true => Idempotency::Idempotent,
            false => Idempotency::of_method(request.method().as_str()),
        };
        Self {
            held: request.body_mut().hold(most),
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            idempotency,
        }
    }

    pub(super) fn idempotency(&self) -> Idempotency {
        self.idempotency
    }

    /// Whether its body can be sent again.
    pub(super) fn body(&self) -> Repeatable {
        self.held
            .as_ref()
            .map_or(Repeatable::Empty, Held::repeatable)
    }

    /// Whether it can be sent again while it is being sent.
    pub(super) fn is_whole(&self) -> bool {
        self.held.as_ref().is_none_or(Held::is_whole)
    }

    /// The request once more; `None` if its body is gone.
    pub(super) fn again(&self) -> Option<Request<RequestBody>> {
        let body = match &self.held {
            None => RequestBody::default(),
            Some(held) => held.again()?,
        };
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        Some(request)
    }
}

/// Sends a request until it is answered well, or another attempt is of no use.
pub(super) async fn retry(
    on: &Exchange<'_>,
    rules: &Rules,
    retry: &RetryGuard,
    record: &mut Record,
    mut request: Request<RequestBody>,
) -> Result<Answered, Refusal> {
    let template = Template::of(&mut request, on.worker.shared.options.limits.retry_body);
    retry.budget.deposit(clock::now());
    let mut attempts = 0;
    loop {
        attempts += 1;
        let result = hedge::send(on, rules, record, Some(&template), request).await;
        let Some(class) = judge::failure_for(retry, &result) else {
            return result;
        };
        let now = clock::now();
        let attempted = Attempted {
            attempts,
            class,
            idempotency: template.idempotency(),
            body: template.body(),
            retry_after: result.as_ref().ok().and_then(asked_pause),
            remaining: on.deadline.remaining(now),
        };
        let (policy, budget) = (&retry.policy, Some(&*retry.budget));
        let decision = policy.decide(&attempted, budget, &mut on.worker.random(), now);
        let after = match decision {
            Decision::Retry { after } => after,
            Decision::GiveUp(why) => {
                if why == NoRetry::BudgetSpent {
                    on.worker.stats().retries_over_budget.add(1);
                }
                return result;
            }
        };
        let Some(again) = template.again() else {
            return result;
        };
        if let Ok(answered) = result {
            answered.let_go(record).await;
        }
        on.worker.stats().retries.add(1);
        // Nobody runs there while the request waits.
        record.lane.endpoint = None;
        if !after.is_zero()
            && let Err(expired) = on.deadline.limit(sleep(after)).await
        {
            return Err(Refusal::new(
                reason_of(expired),
                "the request's time was over before the next attempt",
            ));
        }
        request = again;
    }
}

/// The pause that the service asks for.
fn asked_pause(answered: &Answered) -> Option<std::time::Duration> {
    let asked = answered.response.headers().get(RETRY_AFTER)?;
    retry_after::parse(asked.to_str().ok()?, clock::system())
}
