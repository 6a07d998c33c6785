//! An answer, until its stream ends: its messages are made under the call's context, and it ends with a status whatever
//! happens to them.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName};
use http_body::{Frame, SizeHint};
use tonic::{Code, Status};

use super::record::Record;
use crate::RequestContext;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The status in a head or in trailers.
pub(super) fn code(headers: &HeaderMap) -> Option<Code> {
    let value = headers.get(STATUS)?;
    Some(Code::from_bytes(value.as_bytes()))
}

/// What the caller is told of a panic: where to look, and nothing of the cause.
pub(super) fn panicked(panic: &(dyn Any + Send), request_id: &str) -> Status {
    let cause = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or(panic.downcast_ref::<&str>().copied());
    tracing::error!(
        request_id,
        cause = cause.unwrap_or("unknown"),
        "a handler panicked"
    );
    Status::internal("the service's log has the cause under this call's x-request-id")
}

/// An answer's messages and its status.
pub(super) struct Answer {
    inner: Body,
    context: RequestContext,
    /// The status that ends it before its time. Gone when it has ended.
    cut: Option<Pin<Box<dyn Future<Output = Status> + Send>>>,
    record: Record,
}

impl Answer {
    pub(super) fn new(
        inner: Body,
        context: RequestContext,
        cut: BoxFuture<'static, Status>,
        record: Record,
    ) -> Self {
        // What has its status in the head has no trailers.
        let cut = (!record.has_ended()).then_some(cut);
        Self {
            inner,
            context,
            cut,
            record,
        }
    }

    /// Ends it with this status.
    fn end(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.cut = None;
        self.inner = Body::empty();
        self.record.end(status.code());
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(match status.add_header(&mut trailers) {
            Ok(()) => Ok(Frame::trailers(trailers)),
            Err(error) => Err(axum::Error::new(error)),
        }))
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let Some(cut) = &mut this.cut else {
            return Pin::new(&mut this.inner).poll_frame(cx);
        };
        // First, as a stream that always has something to say would never let it come to this.
        if let Poll::Ready(status) = cut.as_mut().poll(cx) {
            return this.end(&status);
        }
        let inner = Pin::new(&mut this.inner);
        let polled = this
            .context
            .enter(|| catch_unwind(AssertUnwindSafe(|| inner.poll_frame(cx))));
        match polled {
            Err(panic) => {
                let status = panicked(&*panic, this.context.request_id());
                this.end(&status)
            }
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.cut = None;
                    this.record.end(code(trailers).unwrap_or(Code::Unknown));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Ok(Poll::Ready(None | Some(Err(_)))) => {
                this.end(&Status::unknown("the answer ended without a status"))
            }
            Ok(Poll::Pending) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.cut {
            Some(_) => SizeHint::default(),
            None => self.inner.size_hint(),
        }
    }
}
