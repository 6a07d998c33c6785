//! Configuration through its public surface.

mod corpus;
mod diff;
mod format;
mod gray;
mod merge;
mod seal;
mod trees;
