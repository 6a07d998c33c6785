//! All layers around a service, in the one order in which they belong, each on or off as a policy says.
//!
//! | from outside | stands there because |
//! |---|---|
//! | rate limit | the cheapest refusal comes first: what is over a limit costs nothing else |
//! | deadline | everything below counts against it |
//! | shed | what matters least goes before it queues |
//! | fallback | it answers for whatever fails below, a full bulkhead and an open breaker included |
//! | bulkhead | a request has one place, however many attempts it makes |
//! | retry | an attempt that failed for good is one with its hedge |
//! | hedge | attempts at once, each with what stands below of its own |
//! | breaker | per attempt: it counts attempts, and sees those that time out |
//! | adaptive limit | per attempt, and not while the breaker is open: it learns from what was really sent |
//! | attempt timeout | innermost: nothing but the service is measured by it |
//! | the service | balances (not to an endpoint that was tried) and sends |
//!
//! ```
//! use guildhall_resilience::retry::{Budget, BudgetConfig, RetryPolicy};
//! use guildhall_resilience::tower::{HttpRules, Stack, deadline::DeadlineLayer, retry::RetryLayer};
//! use http::{Request, Response};
//! use std::{sync::Arc, time::{Duration, Instant}};
//! use tower::{BoxError, Layer, ServiceExt};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let rules = HttpRules::default();
//! let budget = Arc::new(Budget::new(BudgetConfig::default(), Instant::now()));
//! let mut stack = Stack::off();
//! stack.deadline = Some(DeadlineLayer::new(Some(Duration::from_secs(15)), rules));
//! stack.retry = Some(RetryLayer::new(RetryPolicy::default(), budget, rules));
//!
//! let service = stack.layer(tower::service_fn(async |_: Request<&'static str>| {
//!     Ok::<_, BoxError>(Response::new("served"))
//! }));
//! let answer = service.oneshot(Request::new("asked")).await.unwrap();
//! assert_eq!(*answer.body(), "served");
//! # });
//! ```

use std::sync::Arc;

use tower_layer::{Identity, Layer};

use super::{
    bulkhead::{BulkheadLayer, Bulkheaded},
    deadline::{AttemptTimeout, AttemptTimeoutLayer, DeadlineLayer, Deadlined},
    hedge::{HedgeLayer, Hedged},
    limiter::{RateLimitLayer, RateLimited},
    maybe::{Maybe, maybe},
    retry::{Retry, RetryLayer},
    shed::{ShedLayer, Shedding},
};
use crate::{limiter::Gcra, shed::Criticality};

/// The layers; those that are `None` are off. A change of the policy is a new stack over the same budgets, bulkheads
/// and breakers, which are shared by `Arc`: no window is lost.
///
/// Its types are those of the rules (`R`), of what is limited by (`L`), of who says how much a request matters (`C`),
/// and of the layers for fallback (`F`), breaker (`B`) and adaptive limit (`A`).
#[derive(Clone, Debug)]
pub struct Stack<R, L, C, F, B, A> {
    /// Refuses what is over a limit.
    pub rate_limit: Option<RateLimitLayer<L>>,
    /// Gives the request its deadline.
    pub deadline: Option<DeadlineLayer<R>>,
    /// Refuses what matters least when there is too much.
    pub shed: Option<ShedLayer<C>>,
    /// Answers for what fails: a [`FallbackLayer`](super::fallback::FallbackLayer).
    pub fallback: Option<F>,
    /// Bounds requests at once.
    pub bulkhead: Option<BulkheadLayer<R>>,
    /// Sends again what failed.
    pub retry: Option<RetryLayer<R>>,
    /// Sends a second one while the first is slow.
    pub hedge: Option<HedgeLayer<R>>,
    /// Stops attempts while the service fails: a [`BreakerLayer`](super::breaker::BreakerLayer).
    pub breaker: Option<B>,
    /// Bounds attempts at once by what the service bears: an
    /// [`AdaptiveLayer`](super::adaptive::AdaptiveLayer).
    pub adaptive: Option<A>,
    /// Bounds how long an attempt takes.
    pub attempt_timeout: Option<AttemptTimeoutLayer<R>>,
}

impl<R, Req> Stack<R, Arc<Gcra>, fn(&Req) -> Criticality, Identity, Identity, Identity> {
    /// No layer at all, to set those that are wanted. What has a type of its own (another limit, a fallback, a
    /// breaker) comes in by [`with_fallback`](Self::with_fallback) and its like.
    pub fn off() -> Self {
        Self {
            rate_limit: None,
            deadline: None,
            shed: None,
            fallback: None,
            bulkhead: None,
            retry: None,
            hedge: None,
            breaker: None,
            adaptive: None,
            attempt_timeout: None,
        }
    }
}

/// The same stack with other layers in some places.
macro_rules! replaced {
    ($self:ident, $($slot:ident = $layer:expr),+; $($same:ident),+) => {
        Stack { $($slot: $layer,)+ $($same: $self.$same,)+ }
    };
}

impl<R, L, C, F, B, A> Stack<R, L, C, F, B, A> {
    /// The same with this rate limit.
    #[must_use]
    pub fn with_rate_limit<M>(self, layer: RateLimitLayer<M>) -> Stack<R, M, C, F, B, A> {
        replaced!(self, rate_limit = Some(layer); deadline, shed, fallback, bulkhead, retry, hedge, breaker, adaptive,
            attempt_timeout)
    }

    /// The same with this load shedding.
    #[must_use]
    pub fn with_shed<D>(self, layer: ShedLayer<D>) -> Stack<R, L, D, F, B, A> {
        replaced!(self, shed = Some(layer); rate_limit, deadline, fallback, bulkhead, retry, hedge, breaker, adaptive,
            attempt_timeout)
    }

    /// The same with this fallback.
    #[must_use]
    pub fn with_fallback<G>(self, layer: G) -> Stack<R, L, C, G, B, A> {
        replaced!(self, fallback = Some(layer); rate_limit, deadline, shed, bulkhead, retry, hedge, breaker, adaptive,
            attempt_timeout)
    }

    /// The same with this breaker.
    #[must_use]
    pub fn with_breaker<D>(self, layer: D) -> Stack<R, L, C, F, D, A> {
        replaced!(self, breaker = Some(layer); rate_limit, deadline, shed, fallback, bulkhead, retry, hedge, adaptive,
            attempt_timeout)
    }

    /// The same with this adaptive limit.
    #[must_use]
    pub fn with_adaptive<D>(self, layer: D) -> Stack<R, L, C, F, B, D> {
        replaced!(self, adaptive = Some(layer); rate_limit, deadline, shed, fallback, bulkhead, retry, hedge, breaker,
            attempt_timeout)
    }
}

/// A service within a layer of the stack's user, which may be off.
type Within<L, S> = Maybe<<L as Layer<S>>::Service, S>;
type Timed<S, R> = Maybe<AttemptTimeout<S, R>, S>;
type Hedging<S, R> = Maybe<Hedged<S, R>, S>;
type Retrying<S, R> = Maybe<Retry<S, R>, S>;
type Bounded<S, R> = Maybe<Bulkheaded<S, R>, S>;
type Shed<S, C> = Maybe<Shedding<S, C>, S>;
type InTime<S, R> = Maybe<Deadlined<S, R>, S>;
type Limited<S, L> = Maybe<RateLimited<S, L>, S>;

/// What the breaker stands around.
type Sent<S, R, A> = Within<A, Timed<S, R>>;
/// What the fallback stands around.
type Attempts<S, R, B, A> = Bounded<Retrying<Hedging<Within<B, Sent<S, R, A>>, R>, R>, R>;

impl<S, R, L, C, F, B, A> Layer<S> for Stack<R, L, C, F, B, A>
where
    R: Clone,
    L: Clone,
    C: Clone,
    A: Layer<Timed<S, R>>,
    B: Layer<Sent<S, R, A>>,
    F: Layer<Attempts<S, R, B, A>>,
{
    type Service = Limited<InTime<Shed<Within<F, Attempts<S, R, B, A>>, C>, R>, L>;

    fn layer(&self, service: S) -> Self::Service {
        // From inside out; the table above says why.
        let service = maybe(self.attempt_timeout.as_ref(), service);
        let service = maybe(self.adaptive.as_ref(), service);
        let service = maybe(self.breaker.as_ref(), service);
        let service = maybe(self.hedge.as_ref(), service);
        let service = maybe(self.retry.as_ref(), service);
        let service = maybe(self.bulkhead.as_ref(), service);
        let service = maybe(self.fallback.as_ref(), service);
        let service = maybe(self.shed.as_ref(), service);
        let service = maybe(self.deadline.as_ref(), service);
        maybe(self.rate_limit.as_ref(), service)
    }
}
