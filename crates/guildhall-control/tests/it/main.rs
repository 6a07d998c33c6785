//! What the control plane promises, tested through its handles.
//!
//! Most tests run on the embedded engine over a disk in memory, driven by the paused clock of the
//! runtime: no thread, no real time, the same outcome every time (`store`). Active checks and the
//! engine as it is shipped run in real time.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests read the paused clock and fail by panicking, in their helpers too"
)]

mod active;
mod audit;
mod config;
mod contract;
mod documents;
mod drafts;
mod duty;
mod embedded;
mod full_disk;
mod gray;
mod health;
mod history;
mod lists;
mod locks;
mod measure;
mod newer;
mod poll;
mod power_loss;
mod promote;
mod registry;
mod schemas;
mod sealing;
mod secure;
mod source;
mod status;
mod store;
mod upstream;
mod view;
mod watch;
mod world;
