//! What a source is told.

use std::{path::PathBuf, time::Duration};

/// Settings of a [`RemoteSource`](super::RemoteSource).
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// The file that the copy is kept in; none: no copy, and no start without the control plane.
    pub cache: Option<PathBuf>,
    /// How long the control plane is given at the start before the copy is used; 1 s by default.
    pub patience: Duration,
    /// How long a state that is suspiciously empty is held back; 30 s by default, zero: not at
    /// all.
    pub hold: Duration,
    /// The least time between two writes of the copy; 1 s by default. Large copies are written
    /// less often.
    pub write_interval: Duration,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            cache: None,
            patience: Duration::from_secs(1),
            hold: Duration::from_secs(30),
            write_interval: Duration::from_secs(1),
        }
    }
}

impl SourceOptions {
    /// The defaults, with a copy in `file`.
    pub fn cached(file: impl Into<PathBuf>) -> Self {
        Self {
            cache: Some(file.into()),
            ..Self::default()
        }
    }
}
