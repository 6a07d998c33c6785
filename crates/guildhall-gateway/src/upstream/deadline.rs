//! How long a request may take, from the route's timeouts.
//!
//! `timeouts.request` counts from the end of the client's request, as Envoy's does: a large upload
//! takes the time it takes, and is bounded by the stream's idle timeout. `timeouts.backendRequest`
//! counts from the beginning of an attempt.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep_until};

use crate::clock;

/// How far a request's body has come.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    pub(crate) bytes: Cell<u64>,
    /// When it ended.
    pub(crate) ended: Cell<Option<Instant>>,
}

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    /// `timeouts.request`.
    Request,
    /// `timeouts.backendRequest`.
    Attempt,
}

/// The limits of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadline {
    /// For the whole, from the end of the request.
    request: Option<Duration>,
    /// When the request's head was read.
    started: Option<Instant>,
    upload: Option<Rc<Upload>>,
    attempt: Option<Instant>,
}

impl Deadline {
    /// The limit for the whole; zero is none.
    pub(crate) fn new(request: Duration, started: Instant, upload: Option<Rc<Upload>>) -> Self {
        let request = Some(request).filter(|limit| !limit.is_zero());
        Self {
            request,
            started: Some(started),
            upload,
            attempt: None,
        }
    }

    /// The same with a limit for an attempt that begins now.
    pub(crate) fn for_attempt(&self, limit: Option<Duration>) -> Self {
        Self {
            attempt: limit.map(|limit| clock::now() + limit),
            ..self.clone()
        }
    }

    /// When to look again, or what has expired at `now`.
    fn check(&self, now: Instant) -> Result<Option<Instant>, Expired> {
        let whole = match (self.request, &self.upload) {
            (Some(limit), Some(upload)) => match upload.ended.get() {
                Some(ended) => Some(ended + limit),
                // It cannot expire before this.
                None => {
                    return Ok(Some(now + limit)).and_then(|next| self.attempt_first(next, now));
                }
            },
            (Some(limit), None) => self.started.map(|started| started + limit),
            (None, _) => None,
        };
        if whole.is_some_and(|at| at <= now) {
            return Err(Expired::Request);
        }
        self.attempt_first(whole, now)
    }

    fn attempt_first(
        &self,
        next: Option<Instant>,
        now: Instant,
    ) -> Result<Option<Instant>, Expired> {
        match (self.attempt, next) {
            (Some(attempt), _) if attempt <= now => Err(Expired::Attempt),
            (Some(attempt), Some(next)) => Ok(Some(attempt.min(next))),
            (attempt, next) => Ok(attempt.or(next)),
        }
    }

    /// When the whole is over; `None` if never, or if that is not known yet because the upload still runs.
    pub(crate) fn at(&self) -> Option<Instant> {
        let limit = self.request?;
        match &self.upload {
            Some(upload) => upload.ended.get().map(|ended| ended + limit),
            None => self.started.map(|started| started + limit),
        }
    }

    /// How long until then.
    pub(crate) fn remaining(&self, now: Instant) -> Option<Duration> {
        self.at().map(|at| at.saturating_duration_since(now))
    }

    /// Ready once a limit is reached; keeps its timer in `timer`, which is made when it is first
    /// needed: most requests are answered before.
    pub(crate) fn poll(
        &self,
        mut timer: Pin<&mut Option<Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<Expired> {
        loop {
            match timer.as_mut().as_pin_mut() {
                None => match self.check(clock::now()) {
                    Err(expired) => return Poll::Ready(expired),
                    Ok(None) => return Poll::Pending,
                    Ok(Some(at)) => timer.set(Some(sleep_until(at.into()))),
                },
                Some(sleep) => match sleep.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => timer.set(None),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_counts_from_the_end_of_the_upload() {
        let start = clock::now();
        let at = |secs: u64| start + Duration::from_secs(secs);
        let upload = Rc::new(Upload::default());
        let deadline = Deadline::new(Duration::from_secs(15), start, Some(Rc::clone(&upload)));
        assert_eq!(
            deadline.check(at(100)),
            Ok(Some(at(115))),
            "the upload still runs"
        );
        upload.ended.set(Some(at(110)));
        assert_eq!(deadline.check(at(115)), Ok(Some(at(125))));
        assert_eq!(deadline.check(at(125)), Err(Expired::Request));
    }

    #[test]
    fn the_earlier_limit_counts() {
        let start = clock::now();
        let at = |secs: u64| start + Duration::from_secs(secs);
        let mut deadline = Deadline::new(Duration::from_secs(15), start, None);
        assert_eq!(deadline.check(at(1)), Ok(Some(at(15))));
        deadline.attempt = Some(at(3));
        assert_eq!(deadline.check(at(1)), Ok(Some(at(3))));
        assert_eq!(deadline.check(at(3)), Err(Expired::Attempt));
        assert_eq!(deadline.check(at(15)), Err(Expired::Request));
        let none = Deadline::new(Duration::ZERO, start, None);
        assert_eq!(none.check(at(1_000_000)), Ok(None));
    }
}
