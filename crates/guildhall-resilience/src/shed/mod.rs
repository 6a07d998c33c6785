//! Load shedding: when there is too much, what matters least goes first.
//!
//! Every request has a [`Criticality`]. Two ways to tell that there is too much, alone or both:
//!
//! - [`DelayShed`] watches how long requests queue (for a bulkhead's place, for a worker): as CoDel does, by the *least*
//!   delay of an interval, since a queue that is empty once in a while does no harm however long it gets in between.
//! - [`Reserve`] watches how much of a limit is in use (an [adaptive one's](crate::adaptive::Adaptive::utilisation)):
//!   the last shares of it are kept for those that matter more.
//!
//! Nothing queues here and nothing is held; a request is shed at once or not at all.

mod criticality;
mod delay;
mod refusal;
mod reserve;

pub use criticality::Criticality;
pub use delay::{DelayShed, DelayShedConfig};
pub use refusal::Shed;
pub use reserve::Reserve;
