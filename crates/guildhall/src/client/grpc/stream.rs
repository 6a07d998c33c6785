//! An answer on its way to the caller: what the call holds is told how it ended when its stream does.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use guildhall_core::policy::guard::{Ended, Trial};
use guildhall_resilience::{
    bulkhead::{self, Bulkhead},
    classify::ErrorClass,
};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::time::Sleep;
use tonic::Status;

use super::{
    answer::{self, Hold},
    connections::Lease,
};
use crate::{
    client::{CallError, transport::cause},
    clock,
    metrics::Meter,
    policy::Sdk,
};

/// An answer's messages. Dropped before its end, the call was cancelled, which is no evidence.
pub(super) struct Stream {
    pub(super) inner: Incoming,
    /// The call's deadline.
    pub(super) timer: Option<(Pin<Box<Sleep>>, CallError)>,
    pub(super) holds: Option<Holds>,
}

/// What a call holds until its stream ends.
pub(super) struct Holds {
    pub(super) attempt: Option<Hold>,
    pub(super) place: Option<bulkhead::Permit<Arc<Bulkhead>>>,
    pub(super) trial: Option<Trial<Sdk>>,
    pub(super) lease: Lease,
    pub(super) meter: Arc<Meter>,
    pub(super) began: Instant,
    pub(super) service: String,
    pub(super) instance: String,
}

impl Holds {
    /// The call ended so; `word` says it in metrics.
    pub(super) fn end(self, ended: Ended, word: &'static str) {
        let now = clock::now();
        if let Some(attempt) = self.attempt {
            attempt.end(ended, now);
        }
        if let Some(trial) = self.trial {
            trial.end(ended, now);
        }
        let took = now.saturating_duration_since(self.began);
        self.meter.took(word, took);
        drop((self.place, self.lease));
    }
}

/// A gRPC status in metrics.
pub(super) fn word(code: u32) -> &'static str {
    const WORDS: [&str; 17] = [
        "grpc-ok",
        "grpc-cancelled",
        "grpc-unknown",
        "grpc-invalid-argument",
        "grpc-deadline-exceeded",
        "grpc-not-found",
        "grpc-already-exists",
        "grpc-permission-denied",
        "grpc-resource-exhausted",
        "grpc-failed-precondition",
        "grpc-aborted",
        "grpc-out-of-range",
        "grpc-unimplemented",
        "grpc-internal",
        "grpc-unavailable",
        "grpc-data-loss",
        "grpc-unauthenticated",
    ];
    let known = usize::try_from(code).ok().and_then(|at| WORDS.get(at));
    known.copied().unwrap_or(WORDS[2])
}

impl Stream {
    fn end(&mut self, ended: Ended, word: &'static str) {
        self.timer = None;
        if let Some(holds) = self.holds.take() {
            holds.end(ended, word);
        }
    }

    fn broken(&mut self, error: &hyper::Error) -> CallError {
        let holds = self.holds.as_ref();
        let named = |of: fn(&Holds) -> &String| holds.map(of).cloned().unwrap_or_default();
        let broken = CallError::Broken {
            service: named(|holds| &holds.service),
            instance: named(|holds| &holds.instance),
            cause: cause(error),
        };
        self.end(Ended::Failed(ErrorClass::Reset), broken.word());
        broken
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    match answer::code(trailers) {
                        Some(code) => this.end(Ended::Grpc(code), word(code)),
                        None => this.end(Ended::Failed(ErrorClass::Protocol), "broken"),
                    }
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            Poll::Ready(Some(Err(error))) => {
                let broken = this.broken(&error);
                return Poll::Ready(Some(Err(broken.into())));
            }
            Poll::Ready(None) => {
                // Without trailers nobody says how it ended.
                this.end(Ended::Failed(ErrorClass::Protocol), "broken");
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        let Some((timer, _)) = &mut this.timer else {
            return Poll::Pending;
        };
        std::task::ready!(timer.as_mut().poll(cx));
        match this.timer.take() {
            Some((_, over)) => {
                // What has begun to answer and is not through in time is no evidence: how much there is to say is the
                // caller's to know.
                this.end(Ended::Failed(ErrorClass::DeadlineExceeded), over.word());
                Poll::Ready(Some(Err(over.into())))
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(holds) = self.holds.take() {
            let took = clock::now().saturating_duration_since(holds.began);
            holds.meter.took("cancelled", took);
        }
    }
}
