//! How long a request may take: by the route's timeouts, and by what its caller waits.
//!
//! `timeouts.request` counts from the end of the client's request, as Envoy's does: a large upload
//! takes the time it takes, and is bounded by the stream's idle timeout. `timeouts.backendRequest`
//! counts from the beginning of an attempt. What the caller waits counts from the request's head,
//! an upload included: it is the caller's own clock that runs.

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
    /// The caller's own.
    Inherited,
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
    /// When the caller waits no longer.
    inherited: Option<Instant>,
    /// Whether who is asked is told how long it has.
    tells: bool,
}

impl Deadline {
    /// The limit for the whole; zero is none.
    pub(crate) fn new(request: Duration, started: Instant, upload: Option<Rc<Upload>>) -> Self {
        let request = Some(request).filter(|limit| !limit.is_zero());
        Self {
            request,
            started: Some(started),
            upload,
            ..Self::default()
        }
    }

    /// The same for a caller who waits until `inherited`. With `tells`, who is asked is told how long it has.
    pub(crate) fn of_caller(self, inherited: Option<Instant>, tells: bool) -> Self {
        Self {
            inherited,
            tells,
            ..self
        }
    }

    /// The same with a limit for an attempt that begins now.
    pub(crate) fn for_attempt(&self, limit: Option<Duration>) -> Self {
        Self {
            attempt: limit.map(|limit| clock::now() + limit),
            ..self.clone()
        }
    }

    /// What holds for the answer's body: the limit for the whole only if it was `stated`, as a default is one for the
    /// head; `None` if nothing does.
    pub(crate) fn for_body(self, stated: bool) -> Option<Self> {
        let request = self.request.filter(|_| stated);
        (request.is_some() || self.inherited.is_some()).then_some(Self { request, ..self })
    }

    /// What an attempt that begins now has left, if it is told: the nearest limit that is known already, which that for
    /// the whole is not while the upload runs.
    pub(crate) fn told(&self) -> Result<Option<Duration>, Expired> {
        if !self.tells {
            return Ok(None);
        }
        let now = clock::now();
        self.check(now)?;
        let nearest = earlier(self.at(), self.attempt);
        Ok(nearest.map(|at| at.saturating_duration_since(now)))
    }

    /// When to look again, or what has expired at `now`. Who waits no longer is named first: then nothing else matters.
    fn check(&self, now: Instant) -> Result<Option<Instant>, Expired> {
        let running = self
            .upload
            .as_ref()
            .is_some_and(|upload| upload.ended.get().is_none());
        let whole = match self.request {
            // It cannot expire before this.
            Some(limit) if running => Some(now + limit),
            _ => self.whole(),
        };
        let limits = [
            (self.inherited, Expired::Inherited),
            (whole, Expired::Request),
            (self.attempt, Expired::Attempt),
        ];
        let mut next = None;
        for (at, expired) in limits {
            if at.is_some_and(|at| at <= now) {
                return Err(expired);
            }
            next = earlier(next, at);
        }
        Ok(next)
    }

    /// When `timeouts.request` is over; `None` if never, or if that is not known yet because the upload still runs.
    fn whole(&self) -> Option<Instant> {
        let limit = self.request?;
        match &self.upload {
            Some(upload) => upload.ended.get().map(|ended| ended + limit),
            None => self.started.map(|started| started + limit),
        }
    }

    /// When all is over, as far as that is known.
    pub(crate) fn at(&self) -> Option<Instant> {
        earlier(self.whole(), self.inherited)
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

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
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
    #[test]
    fn a_caller_waits_during_the_upload_too() {
        let start = clock::now();
        let at = |secs: u64| start + Duration::from_secs(secs);
        let upload = Rc::new(Upload::default());
        let deadline = Deadline::new(Duration::from_secs(15), start, Some(Rc::clone(&upload)));
        let deadline = deadline.of_caller(Some(at(20)), true);
        assert_eq!(deadline.check(at(1)), Ok(Some(at(16))));
        assert_eq!(deadline.check(at(10)), Ok(Some(at(20))));
        assert_eq!(deadline.check(at(20)), Err(Expired::Inherited));
        assert_eq!(deadline.at(), Some(at(20)));
        upload.ended.set(Some(at(2)));
        assert_eq!(
            (deadline.check(at(16)), deadline.at()),
            (Ok(Some(at(17))), Some(at(17)))
        );
        assert_eq!(deadline.check(at(17)), Err(Expired::Request));
        let body = deadline.for_body(false).unwrap();
        assert_eq!(
            body.check(at(17)),
            Ok(Some(at(20))),
            "a default is for the head"
        );
        let none = Deadline::new(Duration::from_secs(15), start, None);
        assert!(none.clone().for_body(false).is_none() && none.for_body(true).is_some());
    }
}
