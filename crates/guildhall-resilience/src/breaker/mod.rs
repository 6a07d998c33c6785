//! A circuit breaker: stops calling a service that fails, and finds out when it is back.
//!
//! ```
//! use guildhall_resilience::Outcome;
//! use guildhall_resilience::breaker::{Breaker, Config, State};
//! use std::time::{Duration, Instant};
//!
//! let start = Instant::now();
//! let breaker = Breaker::new(Config::default(), 7, start);
//!
//! // Twenty failures are enough to judge by.
//! for _ in 0..20 {
//!     let permit = breaker.acquire(start)?;
//!     if let Some(transition) = permit.record(Outcome::Failure, start) {
//!         assert_eq!(transition.reason.to_string(), "20 of 20 calls failed");
//!     }
//! }
//! let refusal = breaker.acquire(start).unwrap_err();
//! assert_eq!(refusal.state, State::Open);
//!
//! // Some five seconds later a few calls may probe, and two good ones are enough.
//! let later = start + refusal.retry_after.unwrap();
//! for _ in 0..2 {
//!     breaker.acquire(later)?.record(Outcome::Success, later);
//! }
//! assert_eq!(breaker.state(), State::Closed);
//! # Ok::<(), guildhall_resilience::breaker::Refusal>(())
//! ```
//!
//! # What it gets right
//!
//! - **A call decides only the state that admitted it.** A [`Permit`] carries the generation it was admitted in; one
//!   that ends later counts in the statistics and nowhere else.
//! - **A probe is never lost.** Dropping a permit gives it back; a round of probes that hangs ends at its deadline.
//! - **No evidence is not good evidence.** What is [`Outcome::Ignored`](crate::Outcome::Ignored) counts on no side, and
//!   gives a probe back.
//! - **The window slides**, by time or by calls: what is judged is always the latest.
//! - **Time does not run back.** A `now` that is earlier than one before is taken as that one.
//!
//! # States
//!
//! | state | admits | counts in the window | left by |
//! |---|---|---|---|
//! | `CLOSED` | all | yes | a rule that is met → `OPEN` |
//! | `OPEN` | none | | its time, and a call → `HALF_OPEN` |
//! | `HALF_OPEN` | so many probes | | enough good ones → `CLOSED`, too many bad or overdue ones → `OPEN` |
//! | `FORCED_OPEN` | none | | order or expiry → `CLOSED` |
//! | `DISABLED` | all | no | order or expiry → `CLOSED` |
//! | `METRICS_ONLY` | all | yes | order or expiry → `CLOSED` |
//!
//! Every transition begins with an empty window. A round of probes that is overdue because too few calls came, and not
//! because they hang, is followed by another round.
//!
//! # What an edit keeps
//!
//! [`Breaker::reconfigure`] keeps state, probes, statistics and the open time under way, and of the window:
//!
//! | edited | the window |
//! |---|---|
//! | any threshold, volume, open time, deadline | stays as it is; the next call is judged by the new rule |
//! | number or width of buckets | goes into the new buckets, none of it forgotten sooner than it would have been |
//! | number of calls | its latest calls stay, as many as both have room for |
//! | time window to count window, or back | begins empty |
//!
//! An open time under way ends when it would have ended. So does a round of probes, unless their number is edited: then
//! another round begins.
//!
//! # Cost
//!
//! A call in a closed breaker costs one load to acquire and one compare-and-swap in a counter of its own thread to
//! record; nothing is allocated. A count window is shared by all threads: two more.

mod config;
mod count_window;
mod machine;
mod permit;
mod snapshot;
mod state;
mod stripe;
mod time_window;
mod window;
mod word;

pub use config::{Builder, Config, Window};
pub use machine::Breaker;
pub use permit::{Permit, Refusal};
pub use snapshot::Snapshot;
pub use state::{Forced, Reason, State, Transition};
pub use window::Counts;
