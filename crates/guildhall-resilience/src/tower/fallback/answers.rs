//! What is answered instead.

use std::{
    convert::Infallible,
    future::Ready,
    hash::Hash,
    marker::PhantomData,
    task::{Context, Poll},
    time::Duration,
};

use tower_service::Service;

use crate::fallback::Cause;

/// The answers of a [`Fallback`](super::Fallback).
pub trait Answers<Req, Res> {
    /// What tells requests apart that have different answers.
    type Key: Hash + Eq + Clone;

    /// The key of a request whose good answer may be kept and given to others who ask the same; `None` if it may not.
    /// What depends on who asks must have that in its key.
    fn key(&self, request: &Req) -> Option<Self::Key>;

    /// A copy of a good answer to keep, with its weight (bytes); `None` if it is not to be kept or cannot be copied.
    fn copy(&self, good: &Res) -> Option<(Res, usize)>;

    /// The answer from what was kept so long ago.
    fn kept(&self, kept: &Res, age: Duration) -> Option<Res>;

    /// The answer that is always the same.
    fn fixed(&self, cause: Cause) -> Option<Res>;
}

/// Where a plan asks no other service.
#[derive(Debug)]
pub struct NoService<Res, Err>(Infallible, PhantomData<(Res, Err)>);

impl<Res, Err> Clone for NoService<Res, Err> {
    fn clone(&self) -> Self {
        match self.0 {}
    }
}

impl<Req, Res, Err> Service<Req> for NoService<Res, Err> {
    type Response = Res;
    type Error = Err;
    type Future = Ready<Result<Res, Err>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Err>> {
        match self.0 {}
    }

    fn call(&mut self, _: Req) -> Self::Future {
        let never: Infallible = self.0;
        match never {}
    }
}
