//! What changed between two contents: value by value and line by line.
//!
//! Both are told of whatever the formats are; where one side has no tree, only the lines are. Sealed values must be masked
//! before (`seal::mask`): a diff shows what it is given.

mod compare;
mod lines;

pub use super::changes::{ContentDiff, ValueChange};
pub use compare::diff;
pub use lines::unified;
