//! The bounds of a store.

use std::time::Duration;

/// The bounds of a store of traces.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the log lays out its files. What to do about damage is not asked: what cannot be read is left aside, counted,
    /// and the rest served.
    pub log: guildhall_log::Options,
    /// Bytes of requests that may wait for the disk; beyond, clients are told to come again. Default 32 MiB.
    pub queue_bytes: usize,
    /// Bytes of spans in memory at which a block is written. Default 64 MiB.
    pub cut_bytes: usize,
    /// How long spans stay in memory at most before a block is written. Default five minutes.
    pub cut_after: Duration,
    /// Bytes of spans in memory, those that are being written as a block among them, at which clients are told to come
    /// again. Default 192 MiB.
    pub head_most: usize,
    /// How long to wait before a block that could not be written is tried again. Default five seconds.
    pub retry: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            log: guildhall_log::Options {
                // A request of 20 MiB, the most that OTLP's receivers take.
                max_record: 20 << 20,
                ..guildhall_log::Options::default()
            },
            queue_bytes: 32 << 20,
            cut_bytes: 64 << 20,
            cut_after: Duration::from_secs(300),
            head_most: 192 << 20,
            retry: Duration::from_secs(5),
        }
    }
}
