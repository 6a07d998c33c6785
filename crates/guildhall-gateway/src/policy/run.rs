//! Everything around attempts, outermost first.

use bytes::Bytes;
use http::{Request, Response};

use super::{
    fallback::{self, Substitute},
    hedge, judge, place, retry,
};
use crate::{
    answer::Refusal,
    body::RequestBody,
    exchange::{Answered, Exchange},
    record::Record,
    snapshot::{Rules, Snapshot},
};

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A backend answered.
    Answered(Answered),
    /// A fallback did.
    Substituted(Response<Bytes>),
}

/// Sends a request as its policies have it sent.
pub(crate) async fn run(
    on: &Exchange<'_>,
    rules: &Rules,
    view: &Snapshot,
    record: &mut Record,
    mut request: Request<RequestBody>,
) -> Result<Outcome, Refusal> {
    let fallback = rules.fallback.as_ref();
    // What a fallback needs of the request, which is gone by then.
    let substitute = fallback.map(|guard| Substitute::of(guard, record, &mut request, on));
    let result = placed(on, rules, record, request).await;
    if let Some(policed) = &mut record.policed {
        policed.end_trial(judge::ended_with(&result, on.attempt_timeout.is_some()));
    }
    match substitute {
        None => result.map(Outcome::Answered),
        Some(substitute) => fallback::stand_in(on, substitute, view, record, result).await,
    }
}

/// With a place among those under way, which is held until the answer's body ends.
async fn placed(
    on: &Exchange<'_>,
    rules: &Rules,
    record: &mut Record,
    request: Request<RequestBody>,
) -> Result<Answered, Refusal> {
    if let Some(guard) = &rules.bulkhead {
        let place = place::enter(guard, on.deadline).await?;
        if let Some(policed) = &mut record.policed {
            policed.place = Some(place);
        }
    }
    match &rules.retry {
        Some(guard) => retry::retry(on, rules, guard, record, request).await,
        None => hedge::send(on, rules, record, None, request).await,
    }
}
