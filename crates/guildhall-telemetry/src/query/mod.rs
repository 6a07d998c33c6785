//! What is asked of spans. Pure: one test for a value, wherever it was read from.

mod filter;
mod search;

pub use filter::{Field, Filter, Operator, Test, TestError};
pub use search::Search;
