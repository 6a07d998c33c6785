//! The documents: a policy as it is written.

mod balancer;
mod breaker;
mod fallback;
mod key;
mod limits;
mod policy;
mod retry;
mod target;
#[cfg(test)]
mod tests;
mod timeouts;

pub use balancer::{BalancerType, LoadBalancer, SlowStart};
pub use breaker::{
    CallError, CircuitBreaker, FailurePercentage, Force, ForcedState, OutlierDetection,
    SlidingWindow, SuccessRate, WindowType,
};
pub use fallback::{
    CachedAnswer, Fallback, FallbackCause, FallbackService, FallbackSource, StaticAnswer,
};
pub use key::{KeyType, RequestKey};
pub use limits::{
    AdaptiveAlgorithm, AdaptiveConcurrency, AimdParameters, Bulkhead, GradientParameters,
    RateLimit, RateLimitAlgorithm, RateLimitRule, RateLimitScope, VegasParameters,
};
pub use policy::{Mode, Policy, Section, Sections};
pub use retry::{BackOff, HedgeDelay, Hedging, Retry, RetryBudget, RetryOn};
pub use target::{TargetKind, TargetRef};
pub use timeouts::Timeouts;

use super::described::Described;

/// Every described type, sections first, in the order of the reference.
pub const DESCRIBED: &[Described] = &[
    LoadBalancer::DESCRIBED,
    Timeouts::DESCRIBED,
    Retry::DESCRIBED,
    CircuitBreaker::DESCRIBED,
    OutlierDetection::DESCRIBED,
    RateLimit::DESCRIBED,
    Bulkhead::DESCRIBED,
    AdaptiveConcurrency::DESCRIBED,
    Fallback::DESCRIBED,
    Hedging::DESCRIBED,
    RequestKey::DESCRIBED,
    SlowStart::DESCRIBED,
    BackOff::DESCRIBED,
    RetryBudget::DESCRIBED,
    SlidingWindow::DESCRIBED,
    Force::DESCRIBED,
    SuccessRate::DESCRIBED,
    FailurePercentage::DESCRIBED,
    RateLimitRule::DESCRIBED,
    GradientParameters::DESCRIBED,
    AimdParameters::DESCRIBED,
    VegasParameters::DESCRIBED,
    FallbackSource::DESCRIBED,
    CachedAnswer::DESCRIBED,
    FallbackService::DESCRIBED,
    StaticAnswer::DESCRIBED,
    HedgeDelay::DESCRIBED,
];
