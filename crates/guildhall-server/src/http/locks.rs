//! Locks: acquire, renew, release. Reading and describing them goes the way of all documents.

use std::time::Duration;

use guildhall_api::wire::{AcquireLock, LockToken};

use super::problem::Refusal;
use super::{
    Api, accept,
    answer::{self, Answer},
    call::Call,
    problem,
};

/// `POST …/locks/{name}/acquire`
pub(crate) async fn acquire(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let bytes = call.read_body(api).await?;
    let AcquireLock { owner, ttl, wait } = accept::typed(&call.headers, &bytes)?;
    let wait = wait
        .map_or(Duration::ZERO, |wait| wait.get())
        .min(api.options.max_wait);
    let (namespace, name) = (call.namespace()?, &call.target.name);
    let locks = api.control()?.locks();
    let holder = locks
        .acquire(&call.caller, namespace, name, &owner, ttl, wait)
        .await
        .map_err(problem::of)?;
    answer::json(&holder)
}

/// `POST …/locks/{name}/renew`
pub(crate) async fn renew(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let bytes = call.read_body(api).await?;
    let LockToken { token } = accept::typed(&call.headers, &bytes)?;
    let (namespace, name) = (call.namespace()?, &call.target.name);
    let holder = api
        .control()?
        .locks()
        .renew(&call.caller, namespace, name, token)
        .await
        .map_err(problem::of)?;
    answer::json(&holder)
}

/// `POST …/locks/{name}/release`
pub(crate) async fn release(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let bytes = call.read_body(api).await?;
    let LockToken { token } = accept::typed(&call.headers, &bytes)?;
    let (namespace, name) = (call.namespace()?, &call.target.name);
    let index = api
        .control()?
        .locks()
        .release(&call.caller, namespace, name, token)
        .await
        .map_err(problem::of)?;
    let mut answer = answer::empty();
    answer::set_index(&mut answer, index);
    Ok(answer)
}
