//! Noticing that files changed: by modification time, size and inode, so that a rename over a file is seen, too.

use std::{os::unix::fs::MetadataExt, path::Path};

/// What some files looked like; different when any of them is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(u64);

impl Stamp {
    /// The stamp of `files`; one that cannot be seen counts as such.
    pub(crate) fn of(files: &[&Path]) -> Self {
        use std::hash::{Hash, Hasher};
        let mut hasher = std::hash::DefaultHasher::new();
        for file in files {
            let seen = std::fs::metadata(file).ok();
            let seen = seen.map(|m| {
                (
                    m.ino(),
                    m.size(),
                    m.mtime(),
                    m.mtime_nsec(),
                    m.ctime(),
                    m.ctime_nsec(),
                )
            });
            seen.hash(&mut hasher);
        }
        Self(hasher.finish())
    }
}
