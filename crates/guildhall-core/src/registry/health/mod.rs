//! The state machines of checks: from results to what is believed.
//!
//! Each takes what happened and when, and returns a [`Transition`] where something changed; the
//! shell runs the checks, commits the transitions and asks [`CheckMachine::deadline`] (or
//! [`TtlMachine::deadline`]) when to look again. Nothing here reads a clock. What the states of all checks of an instance
//! come to is [`status::verdict`](super::status::verdict).
//!
//! - `active`: checks that the platform runs, with rise and fall thresholds.
//! - `ttl`: checks that the instance reports itself.
//! - `machine`: either of them.

mod active;
mod machine;
mod standing;
mod transition;
mod ttl;

pub use active::CheckMachine;
pub use machine::{Lapse, Machine};
pub use transition::{CheckOutcome, MAX_OUTPUT, Moment, Transition, clip};
pub use ttl::TtlMachine;
