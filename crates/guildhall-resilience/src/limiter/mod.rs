//! Rate limiters: how many requests in how much time.
//!
//! | | admits | holds | for |
//! |---|---|---|---|
//! | [`Gcra`] | a burst, then evenly at the rate | 8 bytes | the usual limit of a route or a service |
//! | [`Keyed`] | the same, for each key on its own | an entry a key, bounded | a limit per client, header or path parameter |
//! | [`SlidingWindow`] | so many in any window, roughly | 16 bytes | "100 a minute", as people say it |
//! | [`LeakyQueue`] | evenly at the rate, and says how long to wait | 8 bytes | pacing calls to what cannot take bursts |
//! | [`WarmUp`] | the same, from a third of the rate when cold | 24 bytes | a service whose caches are cold after idling |
//!
//! Each process counts for itself. Where several have to keep one limit together, exactly, [`exact`] is what they ask, and
//! `redis` (a feature) who answers; [`shares`] divides one limit among many who go on counting for themselves.
//!
//! All take `&self` and the time, and allocate nothing when they decide. What they refuse ends in [`Limited`], which
//! says when to come back; what they admit in [`Allowed`], which says what is left. Both hold a [`RateLimit`], whose
//! [headers](crate::limiter::header) follow the IETF's draft.
//!
//! ```
//! use guildhall_resilience::limiter::{Gcra, Quota};
//! use std::time::{Duration, Instant};
//!
//! let now = Instant::now();
//! let limiter = Gcra::new(Quota::per_second(10)?.with_burst(2)?, now);
//! assert!(limiter.check(now).is_ok());
//! assert!(limiter.check(now).is_ok());
//! let limited = limiter.check(now).unwrap_err();
//! assert_eq!(limited.retry_after, Some(Duration::from_millis(100)));
//! assert!(limiter.check(now + Duration::from_millis(100)).is_ok());
//! # Ok::<(), guildhall_resilience::ConfigError>(())
//! ```

pub mod exact;
mod gcra;
pub mod header;
mod keyed;
mod leaky;
mod quota;
#[cfg(feature = "redis")]
pub mod redis;
pub mod shares;
mod sliding;
mod verdict;
mod warm_up;

pub use gcra::Gcra;
pub use keyed::{Keyed, KeyedStats};
pub use leaky::LeakyQueue;
pub use quota::Quota;
pub use sliding::SlidingWindow;
pub use verdict::{Allowed, Limited, RateLimit, Turn};
pub use warm_up::{WarmUp, WarmUpConfig};
