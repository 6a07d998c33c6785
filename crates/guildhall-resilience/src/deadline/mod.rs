//! Deadlines that are inherited and shrink: how long anybody still waits for an answer.
//!
//! A request's time is decided once, by whoever asked first, and runs out for everything that is done on its behalf.
//! A hop takes over the caller's deadline if it is nearer than its own, gives each attempt what is left of it, and tells
//! the next hop so in a [header]. What is worked on after the deadline is worked on for nobody.
//!
//! Who set the time that ran out decides what it means ([`Expiry`]): an attempt that took longer than attempts may is
//! the service's failure; one that was cut short by a deadline that the caller brought along says nothing about it.
//!
//! ```
//! use guildhall_resilience::{Outcome, deadline::{Deadline, Expiry, header}};
//! use std::time::{Duration, Instant};
//!
//! let now = Instant::now();
//! let millis = Duration::from_millis;
//! // Our own limit is 15 s; the caller waits for 2 s.
//! let asked = header::parse_grpc_timeout("2S").unwrap();
//! let deadline = Deadline::own(millis(15_000), now).nearer(Deadline::inherited(asked, now));
//!
//! // 1.5 s later there is less left than an attempt may take.
//! let now = now + millis(1_500);
//! let attempt = deadline.for_attempt(Some(millis(800)), now);
//! assert_eq!((attempt.timeout(now), attempt.expiry()), (millis(500), Expiry::Inherited));
//! assert_eq!(attempt.expiry().outcome(), Outcome::Ignored);
//! assert_eq!(header::format_grpc_timeout(attempt.timeout(now)).to_string(), "500000u");
//! ```

mod expiry;
pub mod header;
mod time;

pub use expiry::Expiry;
pub use time::{AttemptLimit, Deadline};
