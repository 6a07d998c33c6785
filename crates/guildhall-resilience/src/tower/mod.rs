//! Tower layers over the patterns, with the feature `tower` (on by default).
//!
//! Each pattern has the same files: `mod`, `layer`, `future`, and `error` where a rejection does not say enough. Layers
//! admit in `call`, never in `poll_ready`: a reservation that is made there and never used leaks, and it would be made
//! before the request is known. A request that is turned away ends with a [`Rejection`](crate::Rejection) in the
//! service's own error type, which must take one in (`S::Error: From<Rejection>`): `tower::BoxError` does as it is, and
//! an enum of your own with one line. So stacking layers nests no error types, and refusing allocates nothing.

pub mod adaptive;
mod admitted;
pub mod breaker;
pub mod bulkhead;
pub(crate) mod clock;
pub mod deadline;
pub mod fallback;
pub mod hedge;
mod http;
pub mod limiter;
mod maybe;
pub mod retry;
mod rules;
mod seeds;
pub mod shed;
mod stack;

pub use admitted::AdmittedFuture;
pub use http::HttpRules;
pub use maybe::{Maybe, MaybeFuture};
pub use rules::Rules;
pub use stack::Stack;
