//! What the tests of the embedded engine share.

use std::sync::Arc;

use guildhall_log::Zeroing;
use guildhall_store::embedded::{Directories, Options};
use guildhall_testkit::files::FaultyFiles;

/// A log and a blob directory on faulty disks.
#[derive(Clone, Default)]
pub(crate) struct Disks {
    pub(crate) log: FaultyFiles,
    pub(crate) blobs: FaultyFiles,
}

impl Disks {
    pub(crate) fn directories(&self) -> Directories {
        Directories {
            log: Arc::new(self.log.clone()),
            blobs: Arc::new(self.blobs.clone()),
        }
    }
}

/// Small segments, so that tests see many.
pub(crate) fn small() -> Options {
    Options {
        log: guildhall_log::Options {
            segment_size: 16 << 10,
            zeroing: Zeroing::Inline,
            ..guildhall_log::Options::default()
        },
        checkpoint_after: 8 << 10,
        ..Options::default()
    }
}
