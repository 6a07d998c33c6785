//! Traces: spans as columns, in memory and on disk.
//!
//! ```text
//! OTLP bytes ─▶ otlp ─▶ Rows (columns in memory) ─▶ block (Parquet and its index, on disk) ─▶ query
//! ```
//!
//! - [`rows`]: spans in memory, a column for each field and each attribute.
//! - [`otlp`]: the bytes that OpenTelemetry clients send, read into rows without copies between.
//! - [`block`]: rows on disk, sorted by service, name and start.
//! - [`query`]: what is asked of them.
//! - [`store`]: the log, the head and the blocks together: durable once it is acknowledged.

pub mod block;
pub mod otlp;
pub mod query;
pub mod rows;
pub mod store;
