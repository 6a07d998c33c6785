//! Locks: held through a lease, fenced by a token that only grows.
//!
//! A lock is a document; who holds it is its status, put under the holder's lease, so that it
//! vanishes with the lease and every watcher of the document sees it go. The token is the
//! revision that put the status: greater than that of every earlier acquisition.

mod handle;

pub use handle::Locks;
