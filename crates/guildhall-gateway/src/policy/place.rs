//! The bulkhead: a place among those under way, or in the queue for one.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use guildhall_core::policy::guard::Guard;
use guildhall_resilience::bulkhead::{Bulkhead, Entry, Permit, Progress};
use tokio::time::sleep_until;

use crate::{answer::Refusal, body::reason_of, clock, upstream::Deadline};

/// A place, if need be after waiting for one.
pub(super) async fn enter(
    guard: &Guard<Bulkhead>,
    deadline: &Deadline,
) -> Result<Permit<Arc<Bulkhead>>, Refusal> {
    let now = clock::now();
    let machine = Arc::clone(&guard.machine);
    // Woken with nothing that does anything yet: it is asked again at once.
    let waker = || std::task::Waker::noop().clone();
    let mut ticket = match Bulkhead::enter(machine, deadline.at(), now, waker) {
        Ok(Entry::Admitted(permit)) => return Ok(permit),
        Ok(Entry::Queued(ticket)) => ticket,
        Err(refusal) => return Err(Refusal::rejected(guard.reject(refusal))),
    };
    let mut timer = pin!(sleep_until(ticket.deadline().into()));
    let waiting = poll_fn(|cx| {
        loop {
            match ticket.poll(clock::now(), || cx.waker().clone()) {
                Progress::Admitted(permit) => return Poll::Ready(Ok(permit)),
                Progress::TooLate(refusal) => {
                    return Poll::Ready(Err(Refusal::rejected(guard.reject(refusal))));
                }
                // Over the deadline it is too late: asking again says so.
                Progress::Waiting if timer.as_mut().poll(cx).is_ready() => {}
                Progress::Waiting => return Poll::Pending,
            }
        }
    });
    match deadline.limit(waiting).await {
        Ok(entered) => entered,
        Err(expired) => Err(Refusal::new(
            reason_of(expired),
            "no place among the service's requests was free within the request's timeout",
        )),
    }
}
