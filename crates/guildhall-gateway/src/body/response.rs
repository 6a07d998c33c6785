//! An answer's body on its way to the client: watched, never held.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use guildhall_core::route::Reason;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use crate::{
    record::Record,
    upstream::{Deadline, Expired, Upstream},
};

/// An answer's body on its way to the client, with the record of the request, which ends with it.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    content: Content,
    /// Ends with the body; a tunnel keeps it longer.
    record: Option<Record>,
}

#[derive(Debug)]
enum Content {
    /// Nothing, or nothing any more.
    Empty,
    /// The gateway's own.
    Own(Bytes),
    /// A backend's.
    Upstream {
        incoming: Incoming,
        /// The connection it comes on, which goes back to the pool at the end.
        upstream: Option<Box<Upstream>>,
        limit: Option<Box<Limit>>,
    },
}

/// A limit on the whole answer.
#[derive(Debug)]
struct Limit {
    deadline: Deadline,
    timer: Pin<Box<Option<Sleep>>>,
}

/// Why an answer breaks off. The client sees the connection close before the end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenOff {
    /// The backend broke off.
    #[error("the backend's answer broke off: {0}")]
    Upstream(#[from] hyper::Error),
    /// It took longer than the route allows or the client waits.
    #[error("the answer took longer than the route allows or the client waits")]
    Expired,
}

impl ResponseBody {
    /// Nothing, of a request whose record is kept elsewhere.
    pub(crate) fn nothing() -> Self {
        Self {
            content: Content::Empty,
            record: None,
        }
    }

    /// The gateway's own.
    pub(crate) fn own(bytes: Bytes, record: Record) -> Self {
        let content = if bytes.is_empty() {
            Content::Empty
        } else {
            Content::Own(bytes)
        };
        Self {
            content,
            record: Some(record),
        }
    }

    /// The body of an answer that came on `upstream`. `deadline` holds for all of it, if given.
    pub(crate) fn upstream(
        incoming: Incoming,
        upstream: Box<Upstream>,
        deadline: Option<Deadline>,
        mut record: Record,
    ) -> Self {
        if incoming.is_end_stream() {
            record.ended();
            record.give_back(upstream);
            return Self {
                content: Content::Empty,
                record: Some(record),
            };
        }
        let limit = deadline.map(|deadline| {
            Box::new(Limit {
                deadline,
                timer: Box::pin(None),
            })
        });
        Self {
            content: Content::Upstream {
                incoming,
                upstream: Some(upstream),
                limit,
            },
            record: Some(record),
        }
    }

    fn broke_off(&mut self, reason: Reason) {
        self.content = Content::Empty;
        if let Some(record) = &mut self.record {
            record.reason = reason;
        }
    }

    fn poll_content(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let (incoming, upstream, limit) = match &mut self.content {
            Content::Empty => return Poll::Ready(None),
            Content::Own(bytes) => {
                let bytes = std::mem::take(bytes);
                self.content = Content::Empty;
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            Content::Upstream {
                incoming,
                upstream,
                limit,
            } => (incoming, upstream, limit),
        };
        let polled = match upstream {
            Some(upstream) => upstream.poll_body(incoming, cx),
            None => Pin::new(&mut *incoming).poll_frame(cx),
        };
        let Poll::Ready(frame) = polled else {
            if let Some(limit) = limit
                && let Poll::Ready(expired) = limit.deadline.poll(limit.timer.as_mut(), cx)
            {
                self.broke_off(reason_of(expired));
                return Poll::Ready(Some(Err(BrokenOff::Expired)));
            }
            return Poll::Pending;
        };
        let over = match &frame {
            Some(Ok(frame)) => frame.is_trailers() || incoming.is_end_stream(),
            Some(Err(_)) => {
                self.broke_off(Reason::UpstreamReset);
                return Poll::Ready(frame.map(|frame| frame.map_err(BrokenOff::from)));
            }
            None => true,
        };
        if over {
            if let (Some(upstream), Some(record)) = (upstream.take(), &self.record) {
                record.give_back(upstream);
            }
            self.content = Content::Empty;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BrokenOff::from)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = self.get_mut();
        let frame = ready!(this.poll_content(cx));
        if let Some(record) = &mut this.record {
            if let Some(data) = frame
                .as_ref()
                .and_then(|frame| frame.as_ref().ok()?.data_ref())
            {
                record.sends(data);
            }
            if matches!(this.content, Content::Empty) && !matches!(frame, Some(Err(_))) {
                record.ended();
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Upstream { incoming, .. } => incoming.size_hint(),
        }
    }
}

/// Whose limit it was: the route's for the whole request, that for the attempt, or the client's.
pub(crate) fn reason_of(expired: Expired) -> Reason {
    match expired {
        Expired::Request => Reason::RequestTimeout,
        Expired::Attempt => Reason::UpstreamTimeout,
        Expired::Inherited => Reason::DeadlineOver,
    }
}
