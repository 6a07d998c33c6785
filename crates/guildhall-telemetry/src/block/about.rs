//! What a block says of itself, and of its files.

use std::collections::BTreeMap;

use guildhall_log::files::Files;
use serde::{Deserialize, Serialize};

use super::checked::Sums;
use super::{ABOUT, ReadError, file_of};
use crate::rows::Rows;

/// The most bytes that it has: the sums of a block of 1 TiB, and some.
const MOST: u64 = 256 << 20;

/// The version of the form of blocks.
const VERSION: u32 = 1;

/// What a block says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    version: u32,
    /// How many spans.
    spans: u32,
    /// When the first one began: nanoseconds since 1970.
    pub(super) start: u64,
    /// When the last one ended.
    pub(super) end: u64,
    /// Its files.
    files: BTreeMap<String, Sums>,
}

/// The version alone: what a newer one says else may be of another form.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl About {
    /// Of rows that were written to these files.
    pub(super) fn new(rows: &Rows, files: BTreeMap<String, Sums>) -> Self {
        let ends = rows.starts.iter().zip(&rows.durations);
        let ends = ends.map(|(start, duration)| start.saturating_add(*duration));
        Self {
            version: VERSION,
            spans: rows.next(),
            start: rows.starts.iter().copied().min().unwrap_or_default(),
            end: ends.max().unwrap_or_default(),
            files,
        }
    }

    /// What the block of this name says.
    pub(super) fn read(files: &dyn Files, name: &str) -> Result<Self, ReadError> {
        let file = files.open(&file_of(name, ABOUT))?;
        let length = usize::try_from(file.length()?.min(MOST)).unwrap_or_default();
        let mut json = vec![0; length];
        let read = file.read_at(0, &mut json)?;
        json.truncate(read);
        let Version { version } = serde_json::from_slice(&json)?;
        match version {
            VERSION => Ok(serde_json::from_slice(&json)?),
            newer => Err(ReadError::Newer(newer)),
        }
    }

    /// What one of its files must be.
    pub(super) fn sums(&self, name: &str) -> Result<Sums, ReadError> {
        let sums = self.files.get(name).cloned();
        sums.ok_or(ReadError::Damaged("a file is not named"))
    }
}
