//! The platform through its own front door: the builder, the API over HTTP, the binary.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod cli;
mod configs;
mod discovery;
mod documents;
mod drafts;
mod fleet;
mod gateway;
mod history;
mod lifecycle;
mod locks;
mod moving;
mod orders;
mod outages;
mod pitfalls;
mod policies;
mod poll;
mod process;
mod refusals;
mod register;
mod registry;
mod sealing;
mod sets;
mod settings;
mod snapshot;
mod support;
mod tls;
mod tokens;
mod watch;
