//! One exchange: a request that was routed, and the answer to it.
//!
//! - [`outgoing`]: the request as the backend is sent it.
//! - [`attempt`]: an endpoint that answers it.
//! - [`pass_on`]: the answer as the client gets it.
//!
//! What stands around attempts by policy is `policy`'s.

mod attempt;
mod outgoing;
mod pass_on;

use std::{cell::RefCell, future::poll_fn, rc::Rc, task::Poll, time::Duration};

pub(crate) use attempt::{Tried, attempt};
use bytes::Bytes;
use http::{Response, response};
use http_body::Body as _;
use hyper::{body::Incoming, upgrade::OnUpgrade};
pub(crate) use outgoing::{Outgoing, compose};
pub(crate) use pass_on::pass_on;

use crate::{
    record::Record,
    snapshot::{Cluster, InFlight, Rules},
    upstream::{Deadline, Tunnel, Upstream},
    worker::Worker,
};

/// What all attempts of a request have in common.
#[derive(Clone, Copy)]
pub(crate) struct Exchange<'a> {
    pub(crate) worker: &'a Rc<Worker>,
    pub(crate) cluster: &'a Cluster,
    /// For the whole of it.
    pub(crate) deadline: &'a Deadline,
    /// How long one attempt may take.
    pub(crate) attempt_timeout: Option<Duration>,
    /// What policies enforce.
    pub(crate) rules: Option<&'a Rules>,
    /// Of what the cluster's balancer goes by.
    pub(crate) hash: u64,
    /// The endpoints that were tried, by attempts that run at once and one after the other.
    pub(crate) tried: &'a RefCell<Tried>,
}

/// Where a request runs; a hedge runs on one of its own beside it.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// Endpoints tried.
    pub(crate) attempts: u32,
    /// The endpoint the request runs at, counted there as long as this is held.
    pub(crate) endpoint: Option<InFlight>,
}

/// Pieces of an unwanted answer that are read before its connection is given up: an error's body is short, and a long
/// one is not worth the connection.
const MOST_FRAMES: usize = 4;

/// The head of a backend's answer, and the connection on which the rest of it comes.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) response: Response<Incoming>,
    pub(crate) upstream: Box<Upstream>,
}

/// An answer, before it is joined with the record of its request.
pub(crate) enum Answer {
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
        backend: Tunnel,
    },
}

impl Answered {
    /// Nobody wants it: its connection is of use again if all of it is here, else it is closed.
    pub(crate) async fn let_go(mut self, record: &Record) {
        let (body, upstream) = (self.response.body_mut(), &mut self.upstream);
        let is_here = poll_fn(|cx| {
            for _ in 0..MOST_FRAMES {
                if body.is_end_stream() {
                    return Poll::Ready(true);
                }
                match upstream.poll_body(body, cx) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(ended) => return Poll::Ready(ended.is_none()),
                    Poll::Pending => break,
                }
            }
            Poll::Ready(false)
        });
        if is_here.await {
            record.give_back(self.upstream);
        }
    }
}
