//! Configuration through its public surface.

mod corpus;
mod format;
mod trees;
