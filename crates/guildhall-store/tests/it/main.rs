//! The store's tests: the conformance suite on each engine, then what only the embedded one does.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and real processes take real time"
)]

mod blobs;
mod blobs_layout;
mod blobs_room;
mod conformance;
mod etcd;
mod kill;
mod ledger;
mod model;
mod power_loss;
mod power_loss_engine;
mod property;
mod read_only;
mod restart;
mod snapshot;
mod support;
