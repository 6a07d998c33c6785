//! The gateway over real sockets: fake backends, raw clients, documents by hand.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests end at what they do not expect, and two measure real time"
)]

mod change;
mod deadlines;
mod faults;
mod hygiene;
mod limits;
mod log;
mod policies;
mod replay;
mod routing;
mod streams;
mod support;
