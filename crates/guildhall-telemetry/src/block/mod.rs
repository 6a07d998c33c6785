//! Rows on disk: blocks, each of a few files which never change.
//!
//! - `NAME.spans.parquet`: the spans, sorted by service, name and start; a column for each field and attribute.
//! - `NAME.traces.parquet`: the traces in the order of their first spans, with a summary of each and where its spans are.
//! - `NAME.traces.index`: from the beginnings of ids to the numbers of traces.
//! - `NAME.block.json`: the version of all that, its span of time, and the checksums of the files. It makes the block one.

mod about;
mod checked;
mod columns;
mod folder;
mod order;
mod read;
mod schema;
mod search;
mod tables;
mod traces;
mod write;

pub use folder::{list, remove, sweep, write};
pub use read::{Block, ReadError, Summary};
pub use write::WriteError;

const SPANS: &str = "spans.parquet";
const TRACES: &str = "traces.parquet";
const INDEX: &str = "traces.index";
const ABOUT: &str = "block.json";

/// The files but for the one that names them.
const PARTS: [&str; 3] = [SPANS, TRACES, INDEX];

/// What a part of the block `name` is called.
fn file_of(name: &str, part: &str) -> String {
    format!("{name}.{part}")
}
