//! The client and the source against a server that does as it is told.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod fake;
mod report;
mod source;
mod tls;
mod watch;
