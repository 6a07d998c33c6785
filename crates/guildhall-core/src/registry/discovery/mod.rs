//! Which instances of a service a client gets.
//!
//! A [`Query`] is parsed once from a request's parameters and then asked of a service's entry:
//! pure filtering over the snapshot, no index to keep. Its canonical form names an answer in a
//! cache, together with the entry's revision.

mod parse;
mod query;
mod select;

pub use parse::QueryError;
pub use query::{Near, Query};
pub use select::{Discovered, discover};
