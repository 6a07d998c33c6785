//! Faults that a route asks for: held up, then refused, by chance.

use guildhall_core::route::{Reason, table::Fault};
use http::HeaderMap;
use tokio::time::sleep;

use crate::{answer::Refusal, body::reason_of, upstream::Deadline, worker::Worker};

/// Does to a request with these headers what chance has for it. A delay counts against the deadline.
pub(crate) async fn inject(
    worker: &Worker,
    fault: &Fault,
    headers: &HeaderMap,
    deadline: &Deadline,
) -> Result<(), Refusal> {
    let injected = fault.inject(headers, || worker.random().f64());
    if let Some(delay) = injected.delay {
        deadline.limit(sleep(delay)).await.map_err(|expired| {
            Refusal::new(
                reason_of(expired),
                "the route's fault filter held the request up beyond its timeout",
            )
        })?;
    }
    match injected.abort {
        None => Ok(()),
        Some(status) => Err(Refusal {
            status: Some(status),
            ..Refusal::new(
                Reason::FaultInjected,
                "the route's fault filter refuses this share of the requests",
            )
        }),
    }
}
