//! How a store is.

use guildhall_core::document::Index;

use crate::ReadOnly;

/// A store's state at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// The engine: `embedded`, `etcd`.
    pub engine: &'static str,
    /// The last committed revision.
    pub index: Index,
    /// Revisions up to this one can no longer be watched from.
    pub compacted: u64,
    /// Entries now.
    pub entries: usize,
    /// Leases now.
    pub leases: usize,
    /// Why nothing can be written, if so.
    pub read_only: Option<ReadOnly>,
}
