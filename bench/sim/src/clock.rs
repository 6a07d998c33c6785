//! The one reading of a clock: an `Instant` can be had in no other way. It is an origin, and no figure depends on it.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: instants have no other origin"
)]

use std::time::Instant;

pub(crate) fn origin() -> Instant {
    Instant::now()
}
