//! Limits that several processes count together, exactly, in a Redis that all of them reach.
//!
//! ```text
//! RedisLimiter::ask ─▶ Link ── one connection, asks in flight beside each other ──▶ one script (gcra.lua)
//!                        ▲
//!                      keep: connects, rehearses, waits for trouble, connects again after a pause
//! ```
//!
//! Each ask is one round trip: the script is GCRA, as in [`Gcra`](super::Gcra), by the server's clock, over all limits
//! that the request has to pass; it takes from all of them or from none. So however many ask at once, and whatever their
//! own clocks say, they never get more than the quota together. Keys expire when there is nothing left to know.
//!
//! # When Redis is away, or slow
//!
//! [`ask`](RedisLimiter::ask) then says [`Unavailable`], and it never takes longer than the
//! [timeout](RedisConfig::with_timeout): what to do instead is the caller's to say, and mostly to count locally. From the
//! first trouble on every ask says so at once, until a connection has been made again and an ask that is only rehearsed
//! was answered within the timeout. Attempts at that come after a pause that doubles up to 5 s, one at a time, so that
//! nothing piles up here or there.
//!
//! An ask that was given up may be counted all the same: that errs on the side of the limit.
//!
//! # What it needs
//!
//! Redis 5 or newer, or what speaks its protocol (Valkey), as one server: keys of one request are looked at together,
//! which a Redis Cluster does not do. The user needs `EVAL`, `EVALSHA`, `SCRIPT LOAD`, `TIME`, `GET` and `SET` on
//! `{prefix}:*`. TLS is not spoken; a Unix socket, or a tunnel, keeps strangers away.
//!
//! ```no_run
//! use guildhall_resilience::limiter::{Quota, exact::Ask, redis::{RedisConfig, RedisLimiter}};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = RedisConfig::new("redis://127.0.0.1:6379")?.with_prefix("shop")?;
//! let limiter = RedisLimiter::start(config);
//! let quota = Quota::per_second(100)?.with_burst(20)?;
//! match limiter.ask(&[Ask::new("checkout", quota).with_key("10.0.0.9")]).await {
//!     Ok(Ok(allowed)) => println!("{} more at once", allowed[0].remaining()),
//!     Ok(Err(over)) => println!("come back in {:?}", over.limited.retry_after),
//!     Err(unavailable) => println!("{unavailable}"), // Count locally.
//! }
//! # Ok(())
//! # }
//! ```

mod config;
mod connect;
mod keep;
mod limiter;
mod script;

pub use config::RedisConfig;
pub use limiter::{RedisLimiter, RedisState, RedisStats, Unavailable};
