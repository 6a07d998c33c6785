//! The client and the source against a server that does as it is told.

mod calls;
mod fake;
mod source;
mod tls;
mod watch;
