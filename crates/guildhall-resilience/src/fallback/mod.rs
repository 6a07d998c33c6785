//! What is answered when a request cannot be: something fixed, the last good answer, or another service's.
//!
//! A [`FallbackPlan`] is a list of sources, tried in order until one answers; which failures it stands in for is said by
//! [`Causes`]. It decides, and whoever holds the answers gives them. A fallback that hides every failure hides outages:
//! the answer is marked with its [`Source`] and, if it was kept, its age, and the failure still counts where it happened.
//!
//! ```
//! use guildhall_resilience::fallback::*;
//! use std::time::Duration;
//!
//! let minute = Duration::from_secs(60);
//! let plan = FallbackPlan::new([Source::Cached { oldest: minute }, Source::Static])?;
//!
//! // An answer from 20 s ago was kept.
//! let step = plan.begin(Cause::Failed, Some(Duration::from_secs(20)));
//! assert_eq!(step, Step::Cached { age: Duration::from_secs(20) });
//!
//! // One from an hour ago is worse than none.
//! assert_eq!(plan.begin(Cause::Failed, Some(60 * minute)), Step::Static);
//!
//! // A wrong request stays wrong.
//! assert_eq!(plan.begin(Cause::WrongRequest, None), Step::Pass(NoFallback::Cause(Cause::WrongRequest)));
//! # Ok::<(), guildhall_resilience::ConfigError>(())
//! ```

mod cause;
mod kept;
mod plan;

pub use cause::{Cause, Causes};
pub use kept::LastGood;
pub use plan::{FallbackPlan, NoFallback, Source, Step};
