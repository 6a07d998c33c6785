//! Bodies on their way through: counted, watched, never held.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use crate::{
    clock,
    record::Record,
    upstream::{Deadline, Expired, Upload, Upstream},
};
use guildhall_core::route::Reason;

/// A client's body on its way to a backend.
#[derive(Debug, Default)]
pub(crate) struct RequestBody {
    /// `None` if there is none, or none any more.
    incoming: Option<Incoming>,
    upload: Option<Rc<Upload>>,
}

impl RequestBody {
    /// A body, and how far it has come; without one if there is nothing in it.
    pub(crate) fn new(incoming: Incoming) -> Self {
        if incoming.is_end_stream() {
            return Self::default();
        }
        Self {
            incoming: Some(incoming),
            upload: Some(Rc::default()),
        }
    }

    /// How far it has come.
    pub(crate) fn upload(&self) -> Option<&Rc<Upload>> {
        self.upload.as_ref()
    }

    fn ended(&mut self) {
        if let Some(upload) = &self.upload
            && upload.ended.get().is_none()
        {
            upload.ended.set(Some(clock::now()));
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
        let over = incoming.is_end_stream();
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(data), Some(upload)) = (frame.data_ref(), &self.upload) {
                    upload.bytes.set(upload.bytes.get() + data.len() as u64);
                }
                if over || frame.is_trailers() {
                    self.ended();
                }
            }
            Some(Err(_)) | None => self.ended(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

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
    /// It took longer than the route allows.
    #[error("the answer took longer than the route allows")]
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
        record: Record,
    ) -> Self {
        if incoming.is_end_stream() {
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
                && limit.deadline.poll(limit.timer.as_mut(), cx).is_ready()
            {
                self.broke_off(Reason::RequestTimeout);
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
        if let (Some(Ok(frame)), Some(record)) = (&frame, &mut this.record)
            && let Some(data) = frame.data_ref()
        {
            record.bytes_sent += data.len() as u64;
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

/// Whether a limit was the route's for the whole request or for the attempt.
pub(crate) fn reason_of(expired: Expired) -> Reason {
    match expired {
        Expired::Request => Reason::RequestTimeout,
        Expired::Attempt => Reason::UpstreamTimeout,
    }
}
