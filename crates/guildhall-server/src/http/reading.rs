//! What every read can do: wait for an index, be a long poll, be a stream.

use std::time::Duration;

use guildhall_api::wire::Code;
use guildhall_control::{Control, watch::Scope};
use guildhall_core::document::Index;

use super::problem::{Refusal, refuse};
use super::{Api, answer::Answer, call::Call, params, problem, watch};

/// How long a long poll waits if it does not say.
const USUAL_WAIT: Duration = Duration::from_secs(30);

/// Waits until everything up to `minIndex`, if the call has one, can be read.
pub(crate) async fn settle(api: &Api, control: &Control, call: &Call) -> Result<(), Refusal> {
    let Some(index) = call.query.index(params::MIN_INDEX)? else {
        return Ok(());
    };
    let wait = api.options.index_wait;
    match tokio::time::timeout(wait, control.wait_for(index)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(problem::of(error)),
        Err(_) => Err(refuse(
            Code::IndexNotReached,
            format!(
                "this server has not seen index {index} within {wait:?}; try again, or ask without minIndex"
            ),
        )),
    }
}

/// Makes the call a stream (the answer is given) or a long poll (nothing is left but to read) if it asks for that.
/// `index` is what the answer is to carry: the highest revision that touched the scope.
pub(crate) async fn attend(
    api: &Api,
    control: &Control,
    call: &Call,
    scope: &Scope,
) -> Result<Attended, Refusal> {
    settle(api, control, call).await?;
    if call.query.flag(params::WATCH)?.unwrap_or(false) {
        let from = watch::resume(call, params::INDEX)?;
        return watch::open(api, control, call, scope.clone(), from)
            .await
            .map(Attended::Stream);
    }
    poll(api, control, call, scope).await.map(Attended::Index)
}

/// What became of a read.
pub(crate) enum Attended {
    /// It is a stream.
    Stream(Answer),
    /// It is to be answered now, with this index.
    Index(Index),
}

/// What a long poll waits with, if the call is one: the index it has, and for how long.
pub(crate) fn patience(api: &Api, call: &Call) -> Result<(Option<Index>, Duration), Refusal> {
    let since = call.query.index(params::INDEX)?;
    let wait = call.query.period(params::WAIT)?;
    if since.is_none() && wait.is_some() {
        return Err(refuse(
            Code::BadRequest,
            "wait needs index: the index of the answer you have",
        ));
    }
    let wait = wait
        .map_or(USUAL_WAIT, |wait| wait.get())
        .min(api.options.max_wait);
    // Waiters that came together do not all come back together.
    Ok((since, wait + wait.mul_f64(fastrand::f64() / 16.0)))
}

/// Waits as a long poll, if the call is one; the index of the scope either way.
pub(crate) async fn poll(
    api: &Api,
    control: &Control,
    call: &Call,
    scope: &Scope,
) -> Result<Index, Refusal> {
    let (since, wait) = patience(api, call)?;
    let polled = control
        .changed(&call.caller, scope, since, wait)
        .await
        .map_err(problem::of)?;
    Ok(polled.index)
}
