//! The layer and its service.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::ShedFuture;
use crate::{
    Rejection,
    adaptive::Adaptive,
    shed::{Criticality, DelayShed, Reserve, Shed},
    tower::{clock, seeds::Seeds},
};

/// Wraps services in [`Shedding`].
#[derive(Clone, Debug)]
pub struct ShedLayer<C> {
    by: By,
    criticality: C,
}

/// What tells that there is too much.
#[derive(Clone, Debug)]
struct By {
    delays: Option<Arc<DelayShed>>,
    utilisation: Option<(Arc<Adaptive>, Reserve)>,
    seeds: Seeds,
}

impl<C> ShedLayer<C> {
    /// Sheds nothing yet; `criticality` says how much a request matters.
    pub fn new(seed: u64, criticality: C) -> Self {
        Self {
            by: By {
                delays: None,
                utilisation: None,
                seeds: Seeds::new(seed),
            },
            criticality,
        }
    }

    /// Sheds while requests queue for too long.
    #[must_use]
    pub fn by_delay(mut self, delays: Arc<DelayShed>) -> Self {
        self.by.delays = Some(delays);
        self
    }

    /// Sheds what would take shares of a limit that are reserved for what matters more.
    #[must_use]
    pub fn by_utilisation(mut self, adaptive: Arc<Adaptive>, reserve: Reserve) -> Self {
        self.by.utilisation = Some((adaptive, reserve));
        self
    }
}

impl<S, C: Clone> Layer<S> for ShedLayer<C> {
    type Service = Shedding<S, C>;

    fn layer(&self, inner: S) -> Shedding<S, C> {
        Shedding {
            inner,
            by: self.by.clone(),
            criticality: self.criticality.clone(),
        }
    }
}

/// Sheds requests when there is too much.
#[derive(Clone, Debug)]
pub struct Shedding<S, C> {
    inner: S,
    by: By,
    criticality: C,
}

impl By {
    fn admit(&self, criticality: Criticality) -> Result<(), Shed> {
        if let Some((adaptive, reserve)) = &self.utilisation {
            reserve.admit(criticality, adaptive.utilisation())?;
        }
        if let Some(delays) = &self.delays {
            delays.admit(criticality, clock::now(), &mut self.seeds.next())?;
        }
        Ok(())
    }
}

impl<S, C, Req> Service<Req> for Shedding<S, C>
where
    S: Service<Req>,
    S::Error: From<Rejection>,
    C: Fn(&Req) -> Criticality,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ShedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        match self.by.admit((self.criticality)(&request)) {
            Ok(()) => ShedFuture::running(self.inner.call(request)),
            Err(shed) => ShedFuture::rejected(shed.into()),
        }
    }
}
