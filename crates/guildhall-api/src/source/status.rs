//! How a source is, for status pages and logs.

use guildhall_core::document::Index;

/// How a source is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceStatus {
    /// The server that the watch comes from; `None` while there is no connection.
    pub server: Option<String>,
    /// Where what was handed on came from.
    pub origin: Origin,
    /// The index of what was last handed on; `None` of a copy from disk.
    pub index: Option<Index>,
    /// How many instances what was last handed on holds.
    pub instances: usize,
    /// Set while a state is held back because it is suspiciously empty.
    pub held: Option<Held>,
    /// Why there is no connection, or why the copy could not be read or written.
    pub last_error: Option<String>,
    /// Documents passed over because this build cannot read them: of the copy on disk, then of the
    /// watch.
    pub skipped: u64,
}

/// Where the documents that were handed on came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nothing was handed on yet.
    #[default]
    Nothing,
    /// The copy on disk: the control plane has not answered since the start.
    Disk,
    /// The control plane.
    Live,
}

/// A state that is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// How many instances it has.
    pub instances: usize,
    /// How many were known before.
    pub known: usize,
}
